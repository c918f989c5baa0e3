# Trains, evaluates and exports; by default it fills an empty /models (fill-models.sh).
#
#   docker build --file serving/docker/training.Dockerfile --tag seq2sum/training:0.1.0 .
#
# Pinned by tag. To pin the content too: docker buildx imagetools inspect python:3.11.15-slim-bookworm
# prints the digest to append: python:3.11.15-slim-bookworm@sha256:...
FROM python:3.11.15-slim-bookworm AS packages

# Without pip: it stays in this stage.
RUN python -m venv --without-pip /opt/seq2sum
# The lock has every dependency, each with its hash. TensorFlow's headers, 0.3 GB, are for compilers.
COPY serving/docker/training.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/seq2sum/bin/python install --no-deps --require-hashes --requirement /build/training.lock \
    && rm -r /opt/seq2sum/lib/python3.11/site-packages/tensorflow/include

FROM packages AS build

COPY serving/docker/build.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --require-hashes --requirement /build/build.lock
COPY client /build/client
COPY training /build/training
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /build/wheels \
    /build/client /build/training \
    && pip --python /opt/seq2sum/bin/python install --no-cache-dir --no-deps --root /build/own /build/wheels/*.whl

FROM python:3.11.15-slim-bookworm

# Two layers: third-party packages change with the lock, and our own code, some megabytes, more often.
COPY --from=packages /opt/seq2sum /opt/seq2sum
COPY --from=build /build/own/opt/seq2sum /opt/seq2sum
COPY --chmod=0755 serving/docker/fill-models.sh /usr/local/bin/fill-models
# The user may be any, without a home: caches of libraries go to /tmp.
ENV PATH=/opt/seq2sum/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["fill-models"]
