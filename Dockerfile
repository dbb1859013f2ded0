# The whole of Shopkeeper, for training and for serving: docker build -t shopkeeper . && docker run -v $PWD/shop:/shop shopkeeper --help
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
VOLUME /shop
ENTRYPOINT ["shopkeeper"]
CMD ["--help"]
