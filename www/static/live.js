// Keeps parts of a page up to date: asks for the page again and takes over what has
// changed in the elements marked data-live, by their ids. An element that has the
// focus in it waits.

const refreshMs = 5000;
const problem = document.querySelector("#live-problem");

function takeOver(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const element = fresh.getElementById(old.id);
    if (!element || old.contains(document.activeElement)) continue;
    if (element.outerHTML !== old.outerHTML) old.replaceWith(element);
  }
}

async function refresh() {
  try {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(refreshMs) });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    takeOver(new DOMParser().parseFromString(await response.text(), "text/html"));
    problem.hidden = true;
  } catch (error) {
    problem.textContent = `The figures can't be brought up to date: ${error.message}`;
    problem.hidden = false;
  }
}

// Nobody looks at a page in the background; it catches up when it comes forward.
setInterval(() => { if (!document.hidden) refresh(); }, refreshMs);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
