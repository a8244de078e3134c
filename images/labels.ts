// pure
/** Labels of our own on images; the others are those of the OCI image specification. */
export const hashLabel = "io.podkit.content-hash";
/** The Debian packages of a base image: `name=version` separated by blanks; empty for a pulled one. */
export const packagesLabel = "io.podkit.debian-packages";
