// pure
/** Bytes that standard padded base64 stands for, line breaks allowed as Go's decoder allows them; undefined when it is not base64. */
export function decodedLength(text: string): number | undefined {
  const plain = text.replaceAll(/[\r\n]/g, "");
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) return undefined;
  const padding = plain.endsWith("==") ? 2 : plain.endsWith("=") ? 1 : 0;
  return (plain.length / 4) * 3 - padding;
}

export function encodeUtf8Base64(text: string): string {
  return bytesToBase64(new TextEncoder().encode(text));
}

/** Undefined when the text is not base64. Invalid UTF-8 becomes replacement characters. */
export function decodeBase64Utf8(text: string): string | undefined {
  if (decodedLength(text) === undefined) return undefined;
  const binary = atob(text);
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.codePointAt(0) ?? 0));
}

function bytesToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCodePoint(byte);
  return btoa(binary);
}
