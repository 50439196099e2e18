# For `orchestrate cluster install`. From the repository:
# pip wheel --no-deps -w packages/sigopt-orchestrate/examples/kubernetes packages/sigopt-orchestrate
FROM python:3.11-slim
COPY sigopt_orchestrate-*.whl /tmp/
RUN pip install --no-cache-dir "$(echo /tmp/sigopt_orchestrate-*.whl)[kubernetes,postgresql]"
USER 1000
