// Keys: what makes a good one, which to propose for a file, and whether one is taken.

const bytesMax = 255;

const sizeOf = (text) => new TextEncoder().encode(text).length;

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f]/;

// The name of the file without its extension, as far as that makes a key; `taken` are
// the keys that others have.
export function proposeKey(fileName, taken) {
  // Encoding and decoding makes half characters whole ones.
  const name = new TextDecoder().decode(new TextEncoder().encode(fileName));
  const stem = name.replace(/(?<=.)\.[^.]*$/, "").replace(new RegExp(control, "gu"), "") || "image";
  for (let number = 1; ; ++number) {
    const key = cutTo(stem, number === 1 ? "" : `-${number}`);
    if (!taken.includes(key)) return key;
  }
}

// `stem` with `end`, without its last characters if that would be too long.
function cutTo(stem, end) {
  const characters = [...stem];
  while (sizeOf(characters.join("") + end) > bytesMax) characters.pop();
  return characters.join("") + end;
}

// What is wrong with a key; nothing if the server takes it.
export function keyProblem(key) {
  if (key === "") return "Give the image a key.";
  if (control.test(key)) return "A key has no control characters.";
  const size = sizeOf(key);
  if (size > bytesMax) return `This key has ${size} bytes; ${bytesMax} are the most.`;
  return "";
}

// Asks the server. Of the keys with a prefix, the prefix itself is the first.
export async function isTaken(key, signal) {
  const query = new URLSearchParams({ prefix: key, limit: 1 });
  const response = await fetch(`/api/list_keys?${query}`, { signal });
  const answer = await response.json();
  return answer.success === "true" && answer.keys[0] === key;
}
