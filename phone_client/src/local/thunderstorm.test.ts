import { expect, test } from "vitest";

import examples from "../generated/examples.json";
import { thunderstormCsv } from "./thunderstorm";

const column = (name: keyof (typeof examples.rows)[0]) => Float32Array.from(examples.rows, (row) => row[name]);
const rows = {
  count: examples.rows.length,
  frame: Uint32Array.from(examples.rows, (row) => row.frame),
  x_nm: column("x_nm"),
  y_nm: column("y_nm"),
  photons: column("photons"),
  background_photons: column("background_photons"),
  precision_nm: column("precision_nm"),
  psf_sigma_nm: column("psf_sigma_nm"),
  probability: column("probability"),
};

const valuesOf = (line: string) => line.split(",").map(Number);

test("a table is written as the server writes it, ties of the last digit aside", () => {
  const [header, ...lines] = thunderstormCsv([rows], 100).join("").trim().split("\n");
  const [expectedHeader, ...expected] = examples.thunderstorm.trim().split("\n");
  expect(header).toBe(expectedHeader);
  expect(lines.length).toBe(expected.length);
  for (const [index, line] of lines.entries()) {
    const difference = valuesOf(line).map((value, at) => Math.abs(value - valuesOf(expected[index]!)[at]!));
    expect(Math.max(...difference)).toBeLessThan(0.0011);
  }
});

test("ids go on from one table to the next", () => {
  const lines = thunderstormCsv([rows, rows], 100).join("").trim().split("\n");
  expect(lines.slice(1).map((line) => Number(line.split(",")[0]))).toEqual(
    Array.from({ length: 2 * rows.count }, (_, index) => index + 1),
  );
});
