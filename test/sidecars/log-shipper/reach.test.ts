import assert from "node:assert/strict";
import { test } from "node:test";
import { canReach, parseMounts, placeOf } from "../../../sidecars/log-shipper/tail/reach.ts";

const emptyDir = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir";
const shipper = parseMounts(`612 500 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a
620 612 0:55 / /proc rw - proc proc rw
641 612 254:1 ${emptyDir}/logs /var/log/app rw,relatime - ext4 /dev/vda rw
642 612 254:1 ${emptyDir}/with\\040space /var/log/other rw,relatime - ext4 /dev/vda rw
`);

test("A directory lies in the mount with the longest fitting point", () => {
  assert.deepEqual(placeOf("/var/log/app/deep", shipper), { device: "254:1", path: `${emptyDir}/logs/deep` });
  assert.deepEqual(placeOf("/var/log/app", shipper), { device: "254:1", path: `${emptyDir}/logs` });
  assert.deepEqual(placeOf("/var/log/application", shipper), { device: "0:50", path: "/var/log/application" });
  assert.deepEqual(placeOf("/var/log/other/x", shipper), { device: "254:1", path: `${emptyDir}/with space/x` });
  assert.equal(placeOf("/x", []), undefined);
});

/** Whether a process with this mount line can reach the shipper's /var/log/app/deep. */
function reaches(what: string, mount: string, expected: boolean): void {
  test(`${what}: ${expected ? "can reach the logs" : "cannot reach the logs"}`, () => {
    const place = placeOf("/var/log/app/deep", shipper);
    assert.ok(place !== undefined);
    assert.equal(canReach(place, parseMounts(mount)), expected);
  });
}

reaches("the application with the same volume", `1 2 254:1 ${emptyDir}/logs /logs rw - ext4 /dev/vda rw`, true);
reaches("a container with the volume's subPath", `1 2 254:1 ${emptyDir}/logs/deep/er /logs rw - ext4 /dev/vda rw`, true);
reaches("a container with another subPath", `1 2 254:1 ${emptyDir}/logs/other /logs rw - ext4 /dev/vda rw`, false);
reaches("a container with the host's root", "1 2 254:1 / /host rw - ext4 /dev/vda rw", true);
reaches("a container with another volume of that disk", `1 2 254:1 ${emptyDir}/data /data rw - ext4 /dev/vda rw`, false);
reaches("a container with a volume of a name that begins alike", `1 2 254:1 ${emptyDir}/logs2 /data rw - ext4 /dev/vda rw`, false);
reaches("a container with its own file system alone", "1 2 0:60 / / rw - overlay overlay rw", false);
