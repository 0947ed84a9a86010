# Both stages are of one Python, so that the environment can be copied whole.
FROM python:3.11.15-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore

# The environment holds no pip of its own: the image's fills it, and stays behind.
RUN python -m venv --without-pip /opt/wakeline

# Wheels alone: nothing is compiled, and no package runs code of its own to install itself.
COPY requirements.lock /src/
RUN python -m pip --python /opt/wakeline install \
        --require-hashes --only-binary :all: --requirement /src/requirements.lock

WORKDIR /src
COPY LICENSE NOTICE README.md pyproject.toml ./
COPY connectors connectors
COPY detectors detectors
COPY streams streams
# The build backend comes from the lock, too, and is not needed any more after this.
RUN python -m pip --python /opt/wakeline install --no-deps --no-index --no-build-isolation . \
    && python -m pip --python /opt/wakeline uninstall --yes setuptools


FROM python:3.11.15-slim-trixie

# The user's number is part of the deployment: files with tokens belong to it. The folders give
# the volumes that are mounted over them their owner.
RUN python -m pip uninstall --yes --root-user-action ignore pip setuptools wheel \
    && groupadd --gid 10001 wakeline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin wakeline \
    && install --directory --owner wakeline --group wakeline --mode 0700 /tokens/worker /tokens/site

COPY --from=build /opt/wakeline /opt/wakeline

ENV PATH=/opt/wakeline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001:10001
WORKDIR /opt/wakeline
ENTRYPOINT ["wakeline"]
CMD ["--help"]
