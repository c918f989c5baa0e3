"""Messages of configuration files, generated from protos/; `make generate` writes them."""
