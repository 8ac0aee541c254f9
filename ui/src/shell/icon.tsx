import sprite from "@/assets/icons.svg?url";

export function Icon({ name, small = false }: { name: string; small?: boolean }) {
  return (
    <svg class={small ? "icon small" : "icon"} aria-hidden="true" focusable="false">
      <use href={`${sprite}#${name}`} />
    </svg>
  );
}
