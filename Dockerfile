# Moorage as one image; which roles run is a setting (MOORAGE_ROLES). There is no build step: Node strips the types.
FROM node:24-bookworm-slim

WORKDIR /app
ENV NODE_ENV=production
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY specs specs
COPY boot boot
COPY reconciler reconciler
COPY proxy proxy
COPY src src
RUN mkdir /data && chown node:node /data

USER node
ENV MOORAGE_DATA=/data MOORAGE_HOST=0.0.0.0
VOLUME /data
EXPOSE 7070 7080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
