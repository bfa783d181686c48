/** Text into HTML: whatever comes from a file is escaped here. */

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Good between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ESCAPES[letter]);
}

/** A coordinate of a figure: two decimals at most. */
export function coordinate(x: number): string {
  return String(Math.round(100 * x) / 100);
}

/** A table of cells that are HTML; the first of a row is its heading. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], name = ""): string {
  const cells = (row: readonly string[]) =>
    row.map((cell, k) => (k === 0 ? `<th scope="row">${cell}</th>` : `<td>${cell}</td>`)).join("");
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n");
  const heads = head.map((cell) => `<th scope="col">${cell}</th>`).join("");
  const top = head.length === 0 ? "" : `<thead><tr>${heads}</tr></thead>\n`;
  return `<table${name === "" ? "" : ` class="${name}"`}>${top}<tbody>${body}</tbody></table>`;
}
