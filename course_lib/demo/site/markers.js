// One mark for each of ten classes: colour alone never carries the meaning. A mark fits into a circle
// of radius 1; its colour and its form are those of `course_lib.plots`.

// Okabe & Ito's palette with a dark yellow, a grey and a brown, as in CLASS_COLOURS there.
const CLASS_COLOURS = [
  "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00",
  "#56B4E9", "#A89B00", "#000000", "#999999", "#8C510A",
];
// As in CLASS_MARKERS there: o s ^ v D P X * < >.
const CLASS_MARKS = [
  polygon(16), polygon(4, Math.PI / 4), polygon(3, -Math.PI / 2), polygon(3, Math.PI / 2), polygon(4),
  cross(0), cross(Math.PI / 4), star(5), polygon(3, Math.PI), polygon(3),
];

/** The point at this angle and distance from the middle; the y axis points down. */
function polar(angle, radius = 1) {
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** Corners of a regular polygon, the first one at angle `turn`: (n, 2). */
function polygon(n, turn = 0) {
  return Array.from({ length: n }, (_, i) => polar(turn + (2 * Math.PI * i) / n));
}

/** A plus sign of thick bars. */
function cross(turn) {
  const inner = 0.5, half = 0.36;
  return [0, 1, 2, 3].flatMap((i) => {
    const angle = turn + (Math.PI * i) / 2;
    return [polar(angle - half), polar(angle + half), polar(angle + Math.PI / 4, inner)];
  });
}

/** A star with n points, one of them up. */
function star(n) {
  return polygon(2 * n, -Math.PI / 2).map(([x, y], i) => (i % 2 ? [0.45 * x, 0.45 * y] : [x, y]));
}

/** The mark of a class at (x, y), with a thin edge that shows it on any ground. */
function drawMark(context, k, x, y, radius, { fill = CLASS_COLOURS[k], edge }) {
  context.beginPath();
  for (const [dx, dy] of CLASS_MARKS[k]) context.lineTo(x + radius * dx, y + radius * dy);
  context.closePath();
  Object.assign(context, { fillStyle: fill, strokeStyle: edge, lineWidth: 0.18 * radius });
  context.fill();
  context.stroke();
}
