# The service and its dashboard in one image. Settings come by environment; none is baked in, no secret least of all.
#
#   docker build -t signals .
#   docker run -p 127.0.0.1:8000:8000 -v signals-data:/srv/signals/data signals python -m app.main --demo
#   docker run -p 127.0.0.1:8000:8000 -v signals-data:/srv/signals/data --env-file .env signals
#
# The worker is the same image: python -m app.worker, with a health check of its own (METRICS_PORT) or
# --no-healthcheck. docker-compose.yml runs both. It needs nothing but the data folder and /tmp to write to:
# docker run --read-only --tmpfs /tmp ...

FROM node:22.21.1-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM python:3.12.12-slim
LABEL org.opencontainers.image.title="crypto-futures-signals" \
    org.opencontainers.image.description="Scored, explained crypto-futures signals" \
    org.opencontainers.image.licenses="MIT"
WORKDIR /srv/signals
COPY requirements.txt ./
COPY requirements-otel.txt ./
# The second is for OTEL_EXPORTER_OTLP_ENDPOINT: 12 MB that are loaded only where it is set.
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-otel.txt
COPY LICENSE ./
COPY config config
COPY migrations migrations
COPY app app
COPY --from=web /build/app/web_dist app/web_dist
# Compiled here, because the service may not write where its code is; the data folder is all it owns.
RUN python -m compileall -q app migrations \
    && groupadd --system --gid 10001 signals \
    && useradd --system --uid 10001 --gid signals --home-dir /srv/signals --no-create-home signals \
    && mkdir data \
    && chown signals:signals data
ENV HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/srv/signals/data"]
EXPOSE 8000
# Without a proxy, whatever the environment says: it is this very container that is asked.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/health/live', timeout=4)"]
# Both processes end within ten seconds of it, with everything written.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "app.main"]
