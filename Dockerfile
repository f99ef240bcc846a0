# The service without the embedded PostgreSQL: it wants DIRECT_URL and SCHEDULER_DISPATCH.
#
#   docker build -t agpt-scheduler .
#   docker run --rm -p 8003:8003 -e DIRECT_URL=... -e SCHEDULER_DISPATCH=rpc agpt-scheduler

FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements-build.lock requirements-production.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv /opt/agpt-scheduler \
    && /opt/agpt-scheduler/bin/pip install --no-cache-dir --require-hashes -r requirements-production.lock
COPY pyproject.toml README.md ./
COPY src src
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/agpt-scheduler/bin/pip install --no-cache-dir --no-deps --no-index wheels/*.whl \
    && /opt/agpt-scheduler/bin/pip uninstall --yes pip \
    && /opt/agpt-scheduler/bin/agpt-scheduler --version

FROM python:3.12-slim
COPY --from=build /opt/agpt-scheduler /opt/agpt-scheduler
ENV PATH=/opt/agpt-scheduler/bin:$PATH PYTHONUNBUFFERED=1 PYRO_HOST=0.0.0.0
# A number, so that Kubernetes' runAsNonRoot can tell; nothing is written but under /tmp, with --workers.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8003
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import os, urllib.request; \
port = os.environ.get('EXECUTION_SCHEDULER_PORT', '8003'); \
urllib.request.urlopen(f'http://127.0.0.1:{port}/health_check', timeout=4)"]
ENTRYPOINT ["agpt-scheduler"]
CMD ["serve"]
