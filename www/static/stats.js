// The charts of the statistics page: brought up to date from /api/stats, with one
// cursor for all of them, which follows the pointer or the slider.

import { Chart } from "./chart.js";
import { clock, grouped } from "./format.js";
import { repeatWhileVisible } from "./repeat.js";

const slowestMs = 60_000;

const section = document.querySelector("#charts");
const slider = document.querySelector("#moment");
const moment = document.querySelector("#moment-text");
const problem = document.querySelector("#charts-problem");
const charts = [...section.querySelectorAll("figure")].map((figure) =>
  new Chart(figure, (row) => { moveCursor(row); }));

let stats = null;
let cursorMs = null;  // the moment that is looked at; null: the newest

const text = {
  configured: (mark) => `set to ${grouped(mark.capacity_mb)} MB, ${mark.replacement}`,
  cleared: () => "cache cleared",
};

// What happened between a row and the one before.
function eventsAt(row) {
  const afterMs = stats.samples[row - 1]?.time_ms ?? stats.from_ms;
  return stats.marks
    .filter((mark) => mark.time_ms > afterMs && mark.time_ms <= stats.samples[row].time_ms)
    .map((mark) => text[mark.event](mark));
}

function rowNearest(timeMs) {
  let nearest = 0;
  stats.samples.forEach((sample, row) => {
    const distance = Math.abs(sample.time_ms - timeMs);
    if (distance < Math.abs(stats.samples[nearest].time_ms - timeMs)) nearest = row;
  });
  return nearest;
}

function showCursor() {
  const last = stats.samples.length - 1;
  const row = cursorMs === null ? last : rowNearest(cursorMs);
  charts.forEach((chart) => chart.setCursor(row, cursorMs !== null));
  slider.max = Math.max(last, 0);
  slider.value = row;
  slider.disabled = last < 1;
  const sample = stats.samples[row];
  moment.textContent = sample ? [`${clock(sample.time_ms)} UTC`, ...eventsAt(row)].join(" · ") : "";
  const values = charts.map((chart) => `${chart.title}: ${chart.textAt(row)}`);
  slider.setAttribute("aria-valuetext", [moment.textContent, ...values].join("; "));
}

function moveCursor(row) {
  cursorMs = row === null ? null : stats.samples[row]?.time_ms ?? null;
  showCursor();
}

async function refresh() {
  try {
    const response = await fetch(section.dataset.source, { signal: AbortSignal.timeout(5000) });
    const answer = await response.json();
    if (answer.success !== "true") throw new Error(answer.error.message);
    stats = answer;
    charts.forEach((chart) => chart.draw(stats));
    showCursor();
    problem.hidden = true;
  } catch (error) {
    problem.textContent = `The charts can't be brought up to date: ${error.message}`;
    problem.hidden = false;
  }
}

// At the end of the slider one is with the newest again, and moves on with it.
slider.addEventListener("input", () => {
  const row = Number(slider.value);
  moveCursor(row === stats.samples.length - 1 ? null : row);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  charts.forEach((chart) => chart.recolour());
});
repeatWhileVisible(refresh, () => Math.min(stats?.interval_ms ?? 5000, slowestMs));
