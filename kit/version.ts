// pure
/** Set by the bundler; source that runs as it stands has no released version. */
declare const PODKIT_VERSION: string | undefined;

export const version: string = typeof PODKIT_VERSION === "string" ? PODKIT_VERSION : "0.1.0-dev";
