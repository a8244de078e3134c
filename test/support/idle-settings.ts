// pure
/** For each role with an admin server the least configuration with which it starts and idles, without anything around it. */
export const idleSettings: Readonly<Record<string, string>> = {
  "log-shipper": "sources: [{ type: tail, paths: [/var/log/app/*.log] }]\nsinks: [{ type: forward, servers: [127.0.0.1:1] }]\n",
  "redis-ambassador": "upstream: { nodes: [127.0.0.1:1] }\n",
  "format-adapter": "watch: { dir: /tmp, match: '*.csv', ready: [{ stable: { quiet: 1s } }] }\nmappings:\n  v1:\n    in: { format: csv, columns: { a: int64 } }\n    out: { format: csv, file: '/podkit/{name}.csv' }\n    fields: { x: { from: a } }\n",
  dns: "",
};

/** How a role runs in a Pod of the restricted Pod Security Standard; `/podkit` is its one writable place. */
export const restricted = {
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  Tmpfs: { "/podkit": "uid=65532,gid=65532,mode=0755", "/tmp": "mode=1777" },
};
