// pure
export type Order = {
  readonly id: number;
  readonly createdAt: Date;
  readonly first: string;
  readonly last: string;
  /** In cents, so that no sum is ever rounded. */
  readonly amountCents: number;
  readonly quantity: number;
  readonly status: "NEW" | "PAID";
};

const firstNames = ["Ann", "Bo", "Zoë", "José", "Mei", "Yusuf"] as const;
const lastNames = ["Lee", "O'Neil", "Smith, Jr.", "García", "李", "Kaya"] as const;

/** The order with this number; the same number gives the same order, but for its time. */
export function makeOrder(id: number, createdAt: Date): Order {
  return {
    id,
    createdAt,
    first: firstNames[id % firstNames.length] ?? "Ann",
    last: lastNames[Math.floor(id / 7) % lastNames.length] ?? "Lee",
    amountCents: 100 + ((id * 7919) % 99_900),
    quantity: 1 + (id % 5),
    status: id % 3 === 0 ? "PAID" : "NEW",
  };
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const decimal = (cents: number): string => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;

/** The application's new report format, version 2, as CSV (RFC 4180 quoting, LF). */
export function toCsvReport(orders: readonly Order[]): string {
  const rows = orders.map((order) => [String(order.id), order.createdAt.toISOString().replace(/\.\d+Z$/, "Z"), order.first, order.last, decimal(order.amountCents), String(order.quantity), order.status]);
  return [["id", "created_at", "first", "last", "amount", "qty", "status"], ...rows].map((row) => `${row.map((text) => cell(text)).join(",")}\n`).join("");
}

/** The new stock report as a JSON array. */
export function toJsonReport(orders: readonly Order[]): string {
  const stock = orders.map((order) => ({ id: order.id, customer: `${order.first} ${order.last}`, amount: Number(decimal(order.amountCents)), qty: order.quantity, status: order.status }));
  return `${JSON.stringify(stock)}\n`;
}
