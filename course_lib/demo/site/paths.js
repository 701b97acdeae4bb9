// How an animation moves: functions of the seconds since its beginning, which begin where one is.

const SECONDS = 6; // there and back, or once around
const RADIUS = 2; // of the circle on the map: most codes are within

/** There and back through the whole range of a control, from `start` on: seconds to value. */
function swing({ low, high }, start) {
  const middle = (low + high) / 2, reach = (high - low) / 2;
  const phase = Math.asin(Math.max(-1, Math.min(1, (start - middle) / reach)));
  return (seconds) => middle + reach * Math.sin((2 * Math.PI * seconds) / SECONDS + phase);
}

/** From (x, y) out onto a circle around the middle: seconds to [x, y]. */
function circle([x, y]) {
  const begin = Math.atan2(y, x), radius = Math.hypot(x, y);
  return (seconds) => {
    const out = Math.min(1, seconds / (SECONDS / 3)); // share of the way to the circle
    const r = radius + (RADIUS - radius) * out, angle = begin + (2 * Math.PI * seconds) / SECONDS;
    return [r * Math.cos(angle), r * Math.sin(angle)];
  };
}
