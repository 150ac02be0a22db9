# The image for grand-challenge.org, on top of the one for the challenge:
# docker build -f docker/grand-challenge.Dockerfile --build-arg MOOD_IMAGE=mood -t mood-grand-challenge docker
ARG MOOD_IMAGE=mood
# hadolint ignore=DL3006
FROM ${MOOD_IMAGE}
# The platform gives no user of its own and refuses root.
USER 1000:1000
ENTRYPOINT ["sh", "/workspace/docker/grand-challenge.sh"]
CMD []
