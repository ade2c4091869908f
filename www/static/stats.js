// Draws the five charts of the statistics page from /api/stats, with dygraphs,
// and keeps them up to date. What is null there (no request in the interval, a
// restart, a gap) is a hole in the line here.
/* global Dygraph */

const refreshMs = 5000;
const charts = document.querySelector("#charts");
const problem = document.querySelector("#charts-problem");
const graphs = [];

const units = ["B", "KB", "MB", "GB"];
function bytesInWords(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    ++unit;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}
const wholeNumber = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : "");
const percent = (value) => `${Math.round(value * 1000) / 10} %`;
const formats = {
  items: wholeNumber,
  bytes: bytesInWords,
  requests: wholeNumber,
  hit_rate: percent,
  miss_rate: percent,
};
const isRate = (name) => name.endsWith("_rate");

// dygraphs' legend writes inline styles, which our Content-Security-Policy
// forbids; the caption of a chart has a readout of our own in its place.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

function readOut(element, time, value) {
  const readout = element.parentElement.querySelector(".readout");
  const known = value !== null && value !== undefined;
  // In UTC and 24 hours, as the axis and the table are.
  readout.textContent = known
    ? `${formats[element.dataset.series](value)} at ${new Date(time).toISOString().slice(11, 19)} UTC`
    : "";
}

function readOutLatest(element, rows) {
  const [time, value] = rows[rows.length - 1];
  readOut(element, time, value);
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The part of dygraphs' options that depends on light and dark.
function colours() {
  return {
    colors: [token("--accent")],
    gridLineColor: token("--line"),
    axisLineColor: token("--line"),
  };
}

// Time and one value per row. dygraphs wants at least one row.
function rowsOf(stats, name) {
  const rows = stats.samples.map((sample) => [new Date(sample.time_ms), sample[name]]);
  return rows.length > 0 ? rows : [[new Date(stats.to_ms), null]];
}

// From zero to a little above the largest value.
function valueRange(rows, name) {
  if (isRate(name)) return [0, 1.05];
  const largest = rows.reduce((max, row) => Math.max(max, row[1] ?? 0), 0);
  return [0, Math.max(largest, name === "bytes" ? 1024 : 4) * 1.1];
}

function draw(stats) {
  charts.hidden = false;
  const dateWindow = [stats.from_ms, stats.to_ms];
  charts.querySelectorAll("[data-series]").forEach((element, index) => {
    const name = element.dataset.series;
    const rows = rowsOf(stats, name);
    const changing = {
      file: rows,
      dateWindow,
      valueRange: valueRange(rows, name),
      unhighlightCallback: () => readOutLatest(element, rows),
    };
    if (!element.matches(":hover")) readOutLatest(element, rows);
    if (graphs[index]) {
      graphs[index].updateOptions(changing);
      return;
    }
    graphs[index] = new Dygraph(element, rows, {
      ...changing,
      ...colours(),
      labels: ["Time", name],
      labelsKMG2: name === "bytes",
      labelsUTC: true,
      highlightCallback: (event, time, points) => readOut(element, time, points[0].yval),
      drawPoints: true,
      pointSize: 1.5,
      strokeWidth: 1.5,
      fillGraph: true,
      fillAlpha: 0.12,
      highlightCircleSize: 4,
      interactionModel: {},
      axes: {
        x: { pixelsPerLabel: 70 },
        y: {
          axisLabelWidth: 64,
          pixelsPerLabel: 32,
          axisLabelFormatter: formats[name],
        },
      },
    });
  });
}

async function refresh() {
  try {
    const response = await fetch("/api/stats", { signal: AbortSignal.timeout(refreshMs) });
    const stats = await response.json();
    if (stats.success !== "true") throw new Error(stats.error.message);
    draw(stats);
    problem.hidden = true;
  } catch (error) {
    problem.textContent = `The charts can't be brought up to date: ${error.message}`;
    problem.hidden = false;
  }
  setTimeout(refresh, refreshMs);
}

document.querySelector("#samples").open = false;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  graphs.forEach((graph) => graph.updateOptions(colours()));
});
refresh();
