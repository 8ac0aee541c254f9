/** What a person takes away as a file. */

export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const cell = (value: unknown): string => {
  const text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet must not take a text for a formula.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export function saveCsv(name: string, rows: unknown[][]): void {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  saveFile(name, new Blob([text], { type: "text/csv" }));
}
