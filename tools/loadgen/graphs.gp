# The two graphs of one ratio, latency and throughput, each as SVG and PNG.
#
# gnuplot 5.4; plot.cc sets these strings:
#   data      file of points: a block for each line, headed by its label, with the columns
#             x | throughput, low, high | read p50, low, high | read p99, low, high |
#             write p50, low, high | write p99, low, high | 1 when the point is invalid
#             (times in ms; low and high bound the 95 % confidence interval)
#   lines     how many blocks there are
#   columns   how many entries of the legend fit side by side
#   latency, throughput   paths of the graphs, without suffix
#   ratio     such as "20 % reads : 80 % writes"
#   x_label   what x is
#   ticks     the values of x that are to have one, with blanks between
#   x_min, x_max, latency_min, latency_max, throughput_max   ranges
#   panels    "Reads Writes", or one of them
#   bars      what the error bars are; empty: there are none
#   offered   "yes": x is the rate that was offered
#   invalid   "yes": there are invalid points

lines = int(lines)
columns = int(columns)

# Okabe and Ito's palette, which the colour-blind can tell apart; shapes differ as well, for
# monochrome printers. The number of a filled shape is one above that of the hollow one.
colours = "0x0072B2 0xD55E00 0x009E73 0xCC79A7 0xE69F00 0x56B4E9 0x000000"
shapes = "6 4 8 12 10 14"
colour(i) = int(word(colours, i % words(colours) + 1))
hollow(i) = int(word(shapes, i % words(shapes) + 1))
filled(i) = hollow(i) + 1

# The sorts of marks, for the line that is block i. A bar goes with the columns x, low, (0) and
# (high - low); yerrorbars would leave a gap around points that are not theirs.
bar = "with vectors nohead linewidth 1 linecolor rgb colour(i) notitle"
solid = "with linespoints linewidth 1.6 pointtype filled(i) pointsize 0.7 linecolor rgb colour(i)"
dashed = "with linespoints linewidth 1.6 dashtype (7,4) pointtype hollow(i) pointsize 0.9 " . \
  "linecolor rgb colour(i)"
key_line = "with lines linewidth 1.6 linecolor rgb 0x404040"
offered_line = "with lines linewidth 1.2 dashtype (6,5) linecolor rgb 0x808080"
cross = "with points pointtype 2 pointsize 1.3 linewidth 1.6 linecolor rgb 0x000000"
is_invalid = "(column(17) == 1)"
invalid_entry = invalid eq "yes" ? ", keyentry ".cross." title 'invalid'" : ""
offered_entry = offered eq "yes" ? ", keyentry ".offered_line." title 'offered'" : ""
# Unlike a ylabel it stays in the figure, however wide the numbers are.
beside_the_axis = "at screen 0.02, graph 0.5 center rotate"
set macros

set datafile missing "NaN"
set samples 200
set xrange [real(x_min):real(x_max)]

# What all panels have in common.
axes = 'set logscale x 2; set border 3 linecolor rgb "#404040"; ' . \
  'set xlabel x_label offset 0,0.2; ' . \
  'set xtics nomirror out scale 0.5 (); set ytics nomirror out scale 0.5; ' . \
  'do for [tick in ticks] { set xtics add (tick real(tick)) }; ' . \
  'set grid linetype 1 linecolor rgb "#e0e0e0" linewidth 0.7; unset key; unset label'

# Of times: 1, 2 and 5 of each power of ten, or the powers alone where those would be too many.
digits = log10(real(latency_max) / real(latency_min)) < 3.5 ? "1 2 5" : "1"
first_power = floor(log10(real(latency_min)))
last_power = ceil(log10(real(latency_max)))
latency_axis = 'set logscale y 10; set yrange [real(latency_min):real(latency_max)]; ' . \
  'set ytics (); do for [power = first_power:last_power] { do for [digit in digits] { ' . \
  'set ytics add (sprintf(panel == 1 ? "%g" : "", digit * 10.0 ** power) digit * 10.0 ** power) } }'

# The legend is a plot of nothing but that, below all panels, where no data can be. What the bars
# are stands below it.
legend = 'set lmargin at screen 0.02; set rmargin at screen 0.98; set bmargin at screen 0; ' . \
  'set tmargin at screen x_axis / 2; set yrange [1:2]; unset logscale; unset border; ' . \
  'unset tics; unset grid; unset title; unset xlabel; unset label; ' . \
  'set key at screen 0.5,bottom(bars eq "" ? 10 : 24) bottom center horizontal ' . \
  'maxcols columns Left reverse width 0 samplen 2; ' . \
  'set label bars at screen 0.5,bottom(11) center font ",".small textcolor rgb "#505050"'

# The figure, measured in pixels from its edges, is as high as its legend needs.
entries = lines + 2 + (invalid eq "yes")
height = 432 + 20 * ((entries + columns - 1) / columns)
bottom(pixels) = pixels / (1.0 * height)
top(pixels) = 1 - bottom(pixels)
x_axis = bottom(height - 342)
title_y = top(20)

do for [format in "svg png"] {
  # Both formats are the same figure for 800 pixels of width; the PNG has two dots for each of them.
  if (format eq "svg") {
    set terminal svg size 800,height font "sans-serif,13" noenhanced background "white"
    large = "15"
    small = "11"
  } else {
    set terminal pngcairo size 1600,2 * height font "sans-serif,9.75" fontscale 2 linewidth 2 \
      pointscale 2 noenhanced background "white"
    large = "11.25"
    small = "8.25"
  }

  # --- Latency: reads and writes side by side on the same scale ----------------------------------
  set output latency.".".format
  set multiplot
  left = 0.1
  gap = 0.035
  width = (0.985 - left - gap * (words(panels) - 1)) / words(panels)
  do for [panel = 1:words(panels)] {
    p50 = word(panels, panel) eq "Reads" ? 5 : 11
    p99 = p50 + 3
    eval(axes)
    eval(latency_axis)
    set title word(panels, panel) offset 0,-0.6
    if (panel == 1) {
      set label "Latency, ".ratio at screen 0.5,title_y center font ",".large
      set label "Response time (ms)" @beside_the_axis
    }
    set lmargin at screen left + (panel - 1) * (width + gap)
    set rmargin at screen left + (panel - 1) * (width + gap) + width
    set bmargin at screen x_axis
    set tmargin at screen top(63)
    plot \
      for [i = 0:lines - 1] data index i \
        using 1:p50 + 1:(0):(column(p50 + 2) - column(p50 + 1)) @bar, \
      for [i = 0:lines - 1] data index i \
        using 1:p99 + 1:(0):(column(p99 + 2) - column(p99 + 1)) @bar, \
      for [i = 0:lines - 1] data index i using 1:p99 @dashed, \
      for [i = 0:lines - 1] data index i using 1:p50 @solid, \
      for [i = 0:lines - 1] data index i using 1:(@is_invalid ? column(p50) : NaN) @cross, \
      for [i = 0:lines - 1] data index i using 1:(@is_invalid ? column(p99) : NaN) @cross
  }
  eval(legend)
  plot \
    for [i = 0:lines - 1] data index i using 1:(0) @solid title columnheader(1), \
    keyentry @key_line title "p50", keyentry @key_line dashtype (7,4) title "p99" @invalid_entry
  unset multiplot
  set output

  # --- Throughput --------------------------------------------------------------------------------
  set output throughput.".".format
  set multiplot
  eval(axes)
  set label "Throughput, ".ratio at screen 0.5,title_y center font ",".large
  set lmargin at screen 0.115
  set rmargin at screen 0.985
  set bmargin at screen x_axis
  set tmargin at screen top(42)
  unset logscale y
  set yrange [0:1.05 * real(throughput_max)]
  set ytics autofreq
  set format y "%.0f"
  set label "Throughput (operations/s)" @beside_the_axis
  plot \
    (offered eq "yes" ? x : NaN) @offered_line, \
    for [i = 0:lines - 1] data index i using 1:3:(0):(column(4) - column(3)) @bar, \
    for [i = 0:lines - 1] data index i using 1:2 @solid, \
    for [i = 0:lines - 1] data index i using 1:(@is_invalid ? column(2) : NaN) @cross
  eval(legend)
  plot \
    for [i = 0:lines - 1] data index i using 1:(0) @solid title columnheader(1) \
    @offered_entry @invalid_entry
  unset multiplot
  set output
}
