// One chart of the statistics, drawn by dygraphs. All charts of the page have the same
// rows, so a row's number is the same moment in each.
/* global Dygraph */

import { bytesInWords, grouped, percent, rate } from "./format.js";

// dygraphs' legend writes inline styles, which our Content-Security-Policy forbids;
// the caption of each chart says the values.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

const wholePercent = (fraction) => `${Math.round(fraction * 100)} %`;
const axisNumber = (value) => (Number.isInteger(value) ? grouped(value) : "");

// What is drawn: the lines, how a value is written in the caption and at the axis, and
// the least that the axis reaches to.
const kinds = {
  items: { lines: ["items"], text: grouped, axis: axisNumber, least: 4 },
  bytes: {
    lines: ["bytes", "capacity_bytes"], text: bytesInWords, axis: bytesInWords, least: 1024,
  },
  requests_per_second: {
    lines: ["requests_per_second"],
    text: (value) => `${rate(value)}/s`,
    axis: grouped,
    least: 1,
  },
  hit_rate: { lines: ["hit_rate"], text: percent, axis: wholePercent, range: [0, 1.04] },
  miss_rate: { lines: ["miss_rate"], text: percent, axis: wholePercent, range: [0, 1.04] },
};

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Each kind of mark has its own colour and its own dashes.
const markStyles = {
  configured: { colour: "--accent", dashes: [7, 4] },
  cleared: { colour: "--bad", dashes: [2, 3] },
};

export class Chart {
  // `figure` has elements .chart with data-series, .chart-title and .readout.
  // `onCursor` is told the row that the pointer is at, or null.
  constructor(figure, onCursor) {
    this.element = figure.querySelector(".chart");
    this.readout = figure.querySelector(".readout");
    this.title = figure.querySelector(".chart-title").textContent;
    this.kind = kinds[this.element.dataset.series];
    this.onCursor = onCursor;
    this.marks = [];
    this.line = document.createElement("div");
    this.line.className = "cursor";
    this.line.hidden = true;
  }

  // What /api/stats answered.
  draw({ samples, marks, from_ms, to_ms }) {
    this.samples = samples;
    this.marks = marks;
    const rows = samples.map((sample) =>
      [new Date(sample.time_ms), ...this.kind.lines.map((name) => sample[name])]);
    // dygraphs wants one row at least.
    if (rows.length === 0) rows.push([new Date(to_ms), ...this.kind.lines.map(() => null)]);
    const changing = {
      file: rows,
      dateWindow: [from_ms, to_ms],
      valueRange: this.kind.range ?? [0, this.#largest() * 1.1],
    };
    if (this.graph) {
      this.graph.updateOptions(changing);
    } else {
      this.graph = new Dygraph(this.element, rows, { ...changing, ...this.#options() });
      this.element.append(this.line);
    }
  }

  // Shows the moment of a row, in the caption and by a line if it `isPicked`.
  setCursor(row, isPicked) {
    const sample = this.samples[row];
    this.readout.textContent = this.textAt(row);
    this.line.hidden = !isPicked || !sample;
    if (this.line.hidden) {
      this.graph.clearSelection();
      return;
    }
    this.graph.setSelection(row);
    const { x, y, h } = this.graph.getArea();
    const left = Math.max(x, this.graph.toDomXCoord(sample.time_ms));
    this.line.style.transform = `translate(${Math.round(left)}px, ${y}px)`;
    this.line.style.height = `${h}px`;
  }

  textAt(row) {
    const [value, limit] = this.kind.lines.map((name) => this.samples[row]?.[name] ?? null);
    if (value === null) return "no data";
    const text = this.kind.text(value);
    return typeof limit === "number" ? `${text} of ${this.kind.text(limit)}` : text;
  }

  recolour() {
    this.graph.updateOptions(this.#colours());
  }

  #largest() {
    return this.samples.reduce(
      (largest, sample) => Math.max(largest, ...this.kind.lines.map((name) => sample[name] ?? 0)),
      this.kind.least);
  }

  #colours() {
    return {
      colors: [token("--accent"), token("--caution")],
      gridLineColor: token("--line"),
      axisLineColor: token("--line"),
    };
  }

  #options() {
    return {
      ...this.#colours(),
      labels: ["Time", ...this.kind.lines],
      labelsUTC: true,
      labelsKMG2: this.kind === kinds.bytes,
      highlightCallback: (event, time, points, row) => this.onCursor(row),
      unhighlightCallback: () => this.onCursor(null),
      // Over the grid and the lines, either of which may be where a mark is.
      plugins: [{
        activate: () => ({
          didDrawChart: ({ dygraph, drawingContext }) => this.#drawMarks(dygraph, drawingContext),
        }),
      }],
      drawPoints: true,
      pointSize: 1.2,
      strokeWidth: 1.6,
      fillGraph: true,
      fillAlpha: 0.12,
      highlightCircleSize: 4,
      interactionModel: {},
      series: {
        capacity_bytes: { fillGraph: false, drawPoints: false, strokePattern: [6, 4] },
      },
      axes: {
        x: { pixelsPerLabel: 64, axisLabelFormatter: (date) => date.toISOString().slice(11, 16) },
        y: { axisLabelWidth: 62, pixelsPerLabel: 32, axisLabelFormatter: this.kind.axis },
      },
    };
  }

  #drawMarks(graph, canvas) {
    const area = graph.getArea();
    const right = area.x + area.w - 1;  // what lies beyond is clipped
    for (const mark of this.marks) {
      const style = markStyles[mark.event];
      const x = Math.min(Math.round(graph.toDomXCoord(mark.time_ms)), right) + 0.5;
      canvas.save();
      canvas.strokeStyle = token(style.colour);
      canvas.lineWidth = 1.5;
      canvas.setLineDash(style.dashes);
      canvas.beginPath();
      canvas.moveTo(x, area.y);
      canvas.lineTo(x, area.y + area.h);
      canvas.stroke();
      canvas.restore();
    }
  }
}
