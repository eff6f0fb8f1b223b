// Gives a file to the browser. With a token, a plain link would be refused.

const KEPT_MS = 60_000;

export function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
