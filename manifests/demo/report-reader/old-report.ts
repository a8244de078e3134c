// pure
/** The old report format that this consumer was written for: CRLF, these columns, dd/MM/yyyy HH:mm, decimal totals. */
export const oldOrdersHeader = "order_id,created,name,total,status,region";
export const oldStockHeader = "order_id,customer,qty";

/** The number of rows, or what is wrong with the report. Strict on purpose: half a file, or one in the new format, must not pass. */
export function checkOldReport(name: string, text: string): { readonly kind: "rows"; readonly rows: number } | { readonly kind: "wrong"; readonly reason: string } {
  const header = name.startsWith("stock-") ? oldStockHeader : oldOrdersHeader;
  const row = name.startsWith("stock-") ? /^\d+,(?:[^",]*|"(?:[^"]|"")*"),\d+$/ : /^\d+,\d\d\/\d\d\/\d{4} \d\d:\d\d,(?:[^",]*|"(?:[^"]|"")*"),\d+\.\d\d,[01],EU$/;
  if (!text.endsWith("\r\n")) return { kind: "wrong", reason: "does not end with CRLF" };
  const [first, ...rows] = text.slice(0, -2).split("\r\n");
  if (first !== header) return { kind: "wrong", reason: `has the header "${first?.slice(0, 80) ?? ""}" instead of "${header}"` };
  const bad = rows.findIndex((line) => !row.test(line));
  return bad >= 0 ? { kind: "wrong", reason: `has a row ${bad + 2} that is not in the old format: "${rows[bad]?.slice(0, 80) ?? ""}"` } : { kind: "rows", rows: rows.length };
}
