// pure
import { createHash } from "node:crypto";

/** An npm package of which something went into a bundle. */
export type BundledPackage = { readonly name: string; readonly version: string; readonly licence: string; readonly licenceText: string };

/**
 * The bill of materials of a role's image in CycloneDX 1.6: the npm packages that are in the bundle, Node, and the Debian
 * packages of the base. It has no date and a serial number made from the content, so the same image has the same bill.
 * Of a base that was pulled only its name is known; what it holds is in that image's own bill.
 */
export function billOfMaterials(o: {
  readonly role: string;
  readonly version: string;
  readonly contentHash: string;
  readonly packages: readonly BundledPackage[];
  readonly debianPackages: readonly string[];
  readonly nodeVersion: string | undefined;
  readonly baseName: string;
}): Readonly<Record<string, unknown>> {
  const digits = createHash("sha256").update(o.contentHash).digest("hex");
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`,
    version: 1,
    metadata: {
      component: { type: "container", "bom-ref": `podkit/${o.role}`, name: `podkit/${o.role}`, version: o.version, licenses: [{ license: { id: "Apache-2.0" } }] },
      properties: [{ name: "io.podkit.content-hash", value: o.contentHash }, { name: "io.podkit.base", value: o.baseName }],
    },
    components: [
      ...o.packages.map((found) => ({ type: "library", "bom-ref": npmUrl(found), name: found.name, version: found.version, purl: npmUrl(found), licenses: [{ expression: found.licence }] })),
      ...(o.nodeVersion === undefined ? [] : [{ type: "platform", "bom-ref": `node@${o.nodeVersion}`, name: "node", version: o.nodeVersion, purl: `pkg:generic/node@${o.nodeVersion}`, licenses: [{ license: { id: "MIT" } }] }]),
      ...o.debianPackages.map((found) => {
        const [name = "", version = ""] = found.split("=");
        const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?distro=debian-13`;
        return { type: "library", "bom-ref": purl, name, version, purl };
      }),
    ],
  };
}

function npmUrl(found: BundledPackage): string {
  return `pkg:npm/${found.name.split("/").map(encodeURIComponent).join("/")}@${found.version}`;
}
