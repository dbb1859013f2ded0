# Preparing, training and exporting in a container: docker build -t shopkeeper . && docker run -v $PWD/shop:/shop shopkeeper --help
# The server listens on loopback only, so it is of use inside the container alone.
FROM python:3.11-slim
RUN useradd --create-home shopkeeper && mkdir /shop && chown shopkeeper /shop
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY configs configs
COPY features features
COPY models models
COPY training training
COPY serving serving
COPY scripts scripts
RUN pip install --no-cache-dir -c constraints.txt -e ".[demo]"
USER shopkeeper
WORKDIR /
VOLUME /shop
ENTRYPOINT ["shopkeeper"]
CMD ["--help"]
