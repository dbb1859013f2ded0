# Two images; docs/container.md says how they are used and what was tried of them.
#   docker build --target serve -t shopkeeper:serve .     prepare, serve, recommend, events: no torch; with Redis
#   docker build --target train -t shopkeeper:train .     everything
# For a machine without a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
# With the demo's data:        --build-arg EXTRAS=train,demo
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim AS base
ENV ORT_DISABLE_TELEMETRY=1 MLFLOW_DISABLE_TELEMETRY=true RAY_USAGE_STATS_ENABLED=0
# Loops are compiled for any processor when the image is built. Numba reads the machine code from a folder that it may
# write to, so a container copies it to /tmp when it starts.
ENV NUMBA_CACHE_DIR=/tmp/numba NUMBA_CPU_NAME=generic
ENV PYTHONUNBUFFERED=1 HOME=/tmp USER=shopkeeper PATH=/opt/shopkeeper/bin:$PATH
RUN useradd --uid 10001 --no-create-home --home-dir /tmp shopkeeper && mkdir /shop && chown shopkeeper /shop

# The environments are made in stages of their own and copied, so that no cache, source or pip stays in an image.
FROM base AS build-base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PYTHON=/opt/shopkeeper/bin/python
WORKDIR /src
RUN python -m venv --without-pip /opt/shopkeeper
COPY locks locks
# Dependencies before the code: they stay in the builder's cache until a lock changes. Each file that is installed has a hash in it.
RUN pip install --require-hashes -r locks/serve.lock

FROM build-base AS build-serve
COPY pyproject.toml README.md ./
COPY configs configs
COPY features features
COPY models models
COPY training training
COPY serving serving
COPY scripts scripts
RUN pip install --no-deps . && cd / && NUMBA_CACHE_DIR=/opt/shopkeeper/numba python -m serving.compile_loops

FROM build-base AS build-train
ARG EXTRAS=train
ARG TORCH_INDEX=
RUN for extra in $(echo ${EXTRAS} | tr , ' '); do pip install --require-hashes --no-deps -r locks/${extra}.lock || exit 1; done
# torch has no hash here: which build is right depends on the machine. What only torch needs comes with it.
COPY constraints.txt ./
RUN pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} torch
COPY --from=build-serve /src /src
RUN pip install --no-deps . && cd / && NUMBA_CACHE_DIR=/opt/shopkeeper/numba python -m serving.compile_loops

FROM base AS train
COPY --from=build-train /opt/shopkeeper /opt/shopkeeper
USER 10001
VOLUME /shop
ENTRYPOINT ["sh", "-c", "cp -r /opt/shopkeeper/numba /tmp/; exec shopkeeper \"$@\"", "shopkeeper"]
CMD ["--help"]

FROM base AS serve
COPY --from=build-serve /opt/shopkeeper /opt/shopkeeper
USER 10001
VOLUME /shop
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; asked = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); asked.request('GET', '/readyz'); sys.exit(asked.getresponse().status != 200)"]
ENTRYPOINT ["sh", "-c", "cp -r /opt/shopkeeper/numba /tmp/; exec shopkeeper \"$@\"", "shopkeeper"]
CMD ["serve", "--out", "/shop"]
