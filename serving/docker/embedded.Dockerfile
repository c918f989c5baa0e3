# seq2sum-serve, with the flags of tensorflow_model_server.
#
#   docker build --file serving/docker/embedded.Dockerfile --tag seq2sum/embedded:0.1.0 .
#
# Pinned by tag; to pin the content too, see training.Dockerfile.
FROM python:3.11.15-slim-bookworm AS packages

# Without pip: it stays in this stage.
RUN python -m venv --without-pip /opt/seq2sum
# The lock has every dependency, each with its hash. TensorFlow's headers, 0.3 GB, are for compilers.
COPY serving/docker/embedded.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/seq2sum/bin/python install --no-deps --require-hashes --requirement /build/embedded.lock \
    && rm -r /opt/seq2sum/lib/python3.11/site-packages/tensorflow/include

FROM packages AS build

COPY serving/docker/build.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --require-hashes --requirement /build/build.lock
COPY client /build/client
COPY serving/pyproject.toml serving/README.md serving/LICENSE /build/serving/
COPY serving/src /build/serving/src
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /build/wheels \
    /build/client /build/serving \
    && pip --python /opt/seq2sum/bin/python install --no-cache-dir --no-deps --root /build/own /build/wheels/*.whl

FROM python:3.11.15-slim-bookworm

# Two layers: third-party packages change with the lock, and our own code, some megabytes, more often.
COPY --from=packages /opt/seq2sum /opt/seq2sum
COPY --from=build /build/own/opt/seq2sum /opt/seq2sum
ENV PATH=/opt/seq2sum/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
EXPOSE 8500 8501
USER 65532:65532
# Clients of a container are not on its loopback interface.
ENTRYPOINT ["seq2sum-serve", "--host=0.0.0.0"]
