/** Programs for the graphics card; the drawing rule's figures come from rule.ts. */
import { ERF, MIN_SIGMA_PX, RADIUS_SIGMAS } from "./rule";

const real = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

const HEAD = `#version 300 es
precision highp float;
precision highp int;
`;

const ERROR_FUNCTION = `
vec4 erf(vec4 x) {
  vec4 t = 1.0 / (1.0 + ${real(ERF.p)} * abs(x));
  vec4 s = ${[...ERF.a].reverse().reduce((sum, a) => (sum === "" ? `${real(a)} * t` : `(${sum} + ${real(a)}) * t`), "")};
  return sign(x) * (1.0 - s * exp(-x * x));
}
`;

/** A localization is a point of as many pixels as its kernel has; one that does not pass lies beyond everything. */
export const SPLAT_VERTEX = `${HEAD}${ERROR_FUNCTION}
layout(location = 0) in float x_nm;
layout(location = 1) in float y_nm;
layout(location = 2) in float photons;
layout(location = 3) in float precision_nm;
layout(location = 4) in uint frame;
uniform float pixel_nm;
uniform float corner_nm;      // from the centre of camera pixel (0, 0) to the field's corner
uniform float max_sigma;      // output pixels
uniform vec2 field;           // its size in output pixels
uniform vec2 origin;          // of this part, in output pixels
uniform vec2 size;            // likewise
uniform uvec2 frame_range;
uniform vec2 photon_range;
uniform vec2 precision_range;
flat out vec4 kernel;         // offset into the middle pixel, 1 / (sqrt(2) sigma), normalisation
flat out vec2 centre;         // of the middle pixel, in this part

void main() {
  vec2 place = (vec2(x_nm, y_nm) + corner_nm) / pixel_nm;
  bool passes = all(greaterThanEqual(place, vec2(0.0))) && all(lessThan(place, field))
    && frame >= frame_range.x && frame <= frame_range.y
    && photons >= photon_range.x && photons <= photon_range.y
    && precision_nm >= precision_range.x && precision_nm <= precision_range.y;
  float sigma = clamp(precision_nm / pixel_nm, ${real(MIN_SIGMA_PX)}, max_sigma);
  float radius = ceil(${real(RADIUS_SIGMAS)} * sigma);
  vec2 middle = floor(place);
  vec2 offset = place - middle;
  float scale = 1.0 / (sqrt(2.0) * sigma);
  vec4 ends = erf(vec4(-radius - offset, radius + 1.0 - offset) * scale);
  vec2 sums = ends.zw - ends.xy;
  kernel = vec4(offset, scale, 1.0 / (sums.x * sums.y));
  centre = middle - origin + 0.5;
  gl_PointSize = 2.0 * radius + 1.0;
  gl_Position = passes ? vec4(centre / size * 2.0 - 1.0, 0.0, 1.0) : vec4(9.0, 9.0, 9.0, 1.0);
}
`;

export const SPLAT_FRAGMENT = `${HEAD}${ERROR_FUNCTION}
flat in vec4 kernel;
flat in vec2 centre;
out vec4 share;

void main() {
  vec2 left = gl_FragCoord.xy - centre - kernel.xy;
  vec4 edges = erf(vec4(left, left + 1.0) * kernel.z);
  vec2 shares = edges.zw - edges.xy;
  share = vec4(shares.x * shares.y * kernel.w);
}
`;

export const COLOUR_VERTEX = `${HEAD}
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}
`;

/** Row 0 of the image is the top; of the screen it is the bottom. */
export const COLOUR_FRAGMENT = `${HEAD}
uniform highp sampler2D image;
uniform sampler2D colours;
uniform float levels_per_unit;
uniform int top_row;          // of the screen
out vec4 colour;

void main() {
  ivec2 place = ivec2(gl_FragCoord.xy);
  float value = texelFetch(image, ivec2(place.x, top_row - place.y), 0).r;
  int last = textureSize(colours, 0).x - 1;
  int level = int(min(value * levels_per_unit, float(last)) + 0.5);
  colour = texelFetch(colours, ivec2(level, 0), 0);
}
`;
