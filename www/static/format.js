// How numbers and times are written; the same as the server writes them.

const units = ["B", "KB", "MB", "GB", "TB"];

export function bytesInWords(bytes) {
  let unit = 0;
  while (bytes >= 1023.95 && unit < units.length - 1) {
    bytes /= 1024;
    ++unit;
  }
  return `${unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

export const grouped = (number) => number.toLocaleString("en");

export const rate = (perSecond) =>
  perSecond.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const percent = (fraction) => `${(fraction * 100).toFixed(1)} %`;

// In UTC, as all times on the pages are.
export const clock = (timeMs) => new Date(timeMs).toISOString().slice(11, 19);
