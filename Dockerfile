# Two images from the same versions as the tests:
#   docker build --target pipeline -t mammoscan .
#   docker build --target serve -t mammoscan-serve .
# docs/how-to/docker.md shows how to run them.

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet \
    DO_NOT_TRACK=1
RUN useradd --create-home --uid 1000 mammoscan \
    && install -d -o mammoscan -g mammoscan /app /venv
USER mammoscan
WORKDIR /app
ENV PATH=/venv/bin:$PATH
RUN python -m venv /venv
# What is installed changes less often than the code: this layer is built again only when it does.
# The versions are those of constraints.txt, each file checked by its hash.
COPY --chown=mammoscan requirements.lock ./
RUN pip install --require-hashes --no-deps -r requirements.lock
COPY --chown=mammoscan pyproject.toml README.md LICENSE ./
COPY --chown=mammoscan src ./src
COPY --chown=mammoscan conf ./conf
# MLflow's database lies beside its artifacts, so that one volume keeps both.
RUN install -d data mlartifacts conf/local \
    && printf 'server:\n  mlflow_tracking_uri: "sqlite:////app/mlartifacts/mlflow.db"\n' > conf/local/mlflow.yml \
    && pip install -e . --no-deps --no-build-isolation

FROM base AS pipeline
# Data, reports and MLflow's records belong in volumes, not in the image.
VOLUME ["/app/data", "/app/mlartifacts"]
ENTRYPOINT ["kedro", "run"]
CMD ["--pipeline", "mias"]

FROM base AS serve
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# The model is a packaged model's folder, mounted read-only at /model.
ENTRYPOINT ["mammoscan", "serve", "--host", "0.0.0.0", "--port", "8000", "--model", "/model"]
CMD ["--study", "mias"]
