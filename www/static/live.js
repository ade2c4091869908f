// Keeps parts of a page up to date: asks for the page again every few seconds and takes
// over what has changed in the elements marked data-live, by their ids. An element that
// has the focus in it, or in which somebody has scrolled, waits. Whoever wants more of
// the new page listens to "refreshed" on the document, whose `detail` it is.

import { repeatWhileVisible } from "./repeat.js";

const refreshMs = 5000;
const problem = document.querySelector("#live-problem");

const isScrolled = (frame) => frame.scrollTop > 0 || frame.scrollLeft > 0;
const isBeingRead = (element) => element.contains(document.activeElement)
  || [...element.querySelectorAll(".table-frame")].some(isScrolled);

function takeOver(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const element = fresh.getElementById(old.id);
    if (!element || isBeingRead(old) || element.isEqualNode(old)) continue;
    old.replaceWith(element);
  }
  document.dispatchEvent(new CustomEvent("refreshed", { detail: fresh }));
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

// The page has just come: the first time is due later.
setTimeout(() => { repeatWhileVisible(refresh, () => refreshMs); }, refreshMs);
