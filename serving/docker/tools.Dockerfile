# seq2sum-rollout and seq2sum-probe, without TensorFlow.
#
#   docker build --file serving/docker/tools.Dockerfile --tag seq2sum/tools:0.1.0 .
#
# Pinned by tag; to pin the content too, see training.Dockerfile.
FROM python:3.11.15-slim-bookworm AS packages

# Without pip: it stays in this stage.
RUN python -m venv --without-pip /opt/seq2sum
# The lock has every dependency, each with its hash.
COPY serving/docker/tools.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/seq2sum/bin/python install --no-deps --require-hashes --requirement /build/tools.lock

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
COPY --chmod=0755 serving/docker/rollout.sh /usr/local/bin/rollout
ENV PATH=/opt/seq2sum/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
EXPOSE 9851
USER 65532:65532
ENTRYPOINT ["rollout"]
