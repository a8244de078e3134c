// pure
/** Whether an object carries every one of the wanted labels with the same value. */
export function carriesLabels(has: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => has[key] === value);
}
