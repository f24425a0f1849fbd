# The latchkey command line as a small image: Node and a few files, without npm packages.
#
#   docker build -t latchkey-cli:local .
#   docker run --rm latchkey-cli:local --help
#
# Build it in the folder of the package, or in a checkout after `npm run build`.
ARG LATCHKEY_NODE_IMAGE=node:24.19.0-alpine3.24
FROM ${LATCHKEY_NODE_IMAGE}
WORKDIR /latchkey
COPY package.json LICENSE ./
COPY bin bin
COPY dist dist
# By number, so that Kubernetes can verify that it is not root.
USER 1000:1000
ENTRYPOINT ["node", "/latchkey/bin/latchkey.js"]
CMD ["--help"]
