import assert from "node:assert/strict";
import { test } from "node:test";
import { encodingSeen } from "../../../../sidecars/log-shipper/parse/encoding-seen.ts";

const seen = (what: string, bytes: Buffer, expected: string): void => {
  test(`${what} looks like ${expected}`, () => assert.equal(encodingSeen(bytes), expected));
};
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
seen("nothing", Buffer.alloc(0), "empty");
seen("plain text", Buffer.from("a line\n"), "ASCII");
seen("text beyond ASCII", Buffer.from("é€😀\n"), "UTF-8");
seen("text cut inside a character", Buffer.from("aé€😀").subarray(0, -2), "UTF-8");
seen("text cut before a character", Buffer.from("é"), "UTF-8");
seen("text with a mark", Buffer.from("\ufeffa"), "UTF-8 with a byte order mark");
seen("a hole", Buffer.from("\0\0\0\0a line that goes on for a while\n"), "ASCII, with NUL bytes");
seen("Latin-1", Buffer.from("caf\u00e9 au lait", "latin1"), "not UTF-8, perhaps Latin-1");
seen("UTF-16LE", Buffer.from("a line\n", "utf16le"), "UTF-16LE by the look of it");
seen("UTF-16BE", utf16be("a line\n"), "UTF-16BE by the look of it");
seen("UTF-16LE with a mark", Buffer.from("\ufeffa", "utf16le"), "UTF-16LE with a byte order mark");
seen("UTF-16BE with a mark", utf16be("\ufeffa"), "UTF-16BE with a byte order mark");
seen("gzip", Buffer.from([0x1f, 0x8b, 8, 0]), "gzip");
