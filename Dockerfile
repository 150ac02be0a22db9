# The submission image. docs/container.md tells how to build and run it, and why it is made this way.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}

# Debian's security updates are wanted, so no versions are pinned; a release pins BASE_IMAGE by its digest.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends python3 python3-venv && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log && \
    python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1

# The large layer. It changes with the lock file only.
ARG VARIANT=gpu
COPY docker/requirements-${VARIANT}.lock /opt/requirements.lock
# OpenVINO reports its use over the network through a package of its own, and does without when it is not there. What
# TensorFlow brings to compile with, and to draw curves, is 0.4 GB that nothing here asks for.
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /opt/requirements.lock && \
    pip uninstall --yes --quiet openvino-telemetry libclang tensorboard tensorboard-data-server && \
    rm -rf /opt/venv/lib/python3*/site-packages/tensorflow/include

# Code and weights, laid out as in a checkout. Any user may run the image, so everybody may read it, whatever the
# permissions were at the place of the build. Only what cannot be read is changed: a changed file is stored twice.
# The version is told, for the tags of git do not come along.
ARG VERSION=0+unknown
COPY . /workspace/
WORKDIR /workspace
RUN SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MOOD_OOD="${VERSION}" pip install --no-cache-dir --no-deps --no-build-isolation --editable . && \
    python -m compileall -q mood && \
    find . \( ! -perm -a+r -o -type d ! -perm -a+x \) -exec chmod a+rX {} + && \
    chmod a+rx run_*.sh docker/run.sh

ENV CUDA_CACHE_DISABLE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

ARG REVISION=unknown
ENV MOOD_IMAGE=${VARIANT} MOOD_REVISION=${REVISION}
LABEL org.opencontainers.image.title="mood" \
      org.opencontainers.image.description="Out-of-distribution detection in brain MRI and abdominal CT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
CMD ["mood", "--help"]
