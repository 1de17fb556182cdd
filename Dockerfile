# Halescan on a CPU. Build with network once; the image then works offline:
#   docker build -t halescan --build-arg TORCH_INDEX_URL=... .
#   docker run --rm --network none -v "$PWD/data:/data" halescan examine /data/model /data/new --out /data/results
FROM python:3.12-slim

# where the CPU build of PyTorch lies, as PyTorch's own page names it; empty takes the default index
ARG TORCH_INDEX_URL=
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 HF_HUB_OFFLINE=1 HALESCAN_HOME=/data/.halescan HALESCAN_WEIGHTS=/weights

WORKDIR /opt/halescan
COPY pyproject.toml constraints-cpu.txt README.md LICENSE ./
COPY src src
RUN pip install ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} -c constraints-cpu.txt torch \
    && pip install -c constraints-cpu.txt . \
    && useradd --create-home reader && mkdir -p /data /weights && chown reader /data
USER reader
WORKDIR /data
ENTRYPOINT ["halescan"]
CMD ["--help"]
