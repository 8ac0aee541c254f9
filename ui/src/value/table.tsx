/** A plain table of cells; on a narrow window each row is a block whose cells say what they are. */

import "@/style/told.css";
import type { ComponentChildren } from "preact";

export type Cell = ComponentChildren;
export type Column = string;

export function Table({ caption, columns, rows }: { caption: string; columns: Column[]; rows: Cell[][] }) {
  return (
    <table class="told">
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map((one) => (
            <th key={one} scope="col">
              {one}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i} data-testid="told-row">
            {row.map((cell, j) => {
              const isLast = j === row.length - 1 && row.length < columns.length;
              const span = isLast ? columns.length - j : undefined;
              return j === 0 ? (
                <th key={j} scope="row">
                  {cell}
                </th>
              ) : (
                <td key={j} data-label={columns[j]} colSpan={span}>
                  {cell}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
