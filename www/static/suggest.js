// Suggests keys while one is typed: a field with data-suggest gets the first stored
// keys that begin with what is in it, as the options of its <datalist>.

const pauseMs = 120;
const suggestionsMax = 8;

for (const input of document.querySelectorAll("[data-suggest]")) {
  let pause = 0;
  let asking = new AbortController();

  async function suggest() {
    asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams({ prefix: input.value, limit: suggestionsMax });
    try {
      const response = await fetch(`/api/list_keys?${query}`, { signal: asking.signal });
      if (!response.ok) return;
      const { keys } = await response.json();
      input.list.replaceChildren(...keys.map((key) => new Option("", key)));
    } catch {
      // Typed on, or the server is away: then there is nothing to suggest.
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(suggest, pauseMs);
  });
  input.addEventListener("focus", suggest);
}
