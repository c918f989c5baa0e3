"""The network: in Keras (`network`), and with plain operators for training (`training_network`)."""
