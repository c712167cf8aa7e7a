// The list of threads in pieces by day, as the reader's calendar has them.

import { t } from "../texts.js";

/** `[{label, items}]` of items with `updated_at`, newest first; without one, an item is of today. */
export function byDay(items, now = new Date()) {
  const groups = [];
  for (const item of items) {
    const label = dayLabel(item.updated_at ? new Date(item.updated_at) : now, now);
    if (groups.at(-1)?.label === label) groups.at(-1).items.push(item);
    else groups.push({ label, items: [item] });
  }
  return groups;
}

/** Today, Yesterday, This week (from Monday), then the month, with the year if it is another. */
export function dayLabel(date, now) {
  const days = daysBetween(date, now);
  if (days <= 0) return t("page_today");
  if (days === 1) return t("page_yesterday");
  if (days <= (now.getDay() + 6) % 7) return t("page_this_week");
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(document.documentElement.lang, { month: "long", year }).format(date);
}

function daysBetween(date, now) {
  // By the calendar, in UTC: a day on which the clocks change has 23 hours or 25.
  const day = (it) => Date.UTC(it.getFullYear(), it.getMonth(), it.getDate());
  return Math.round((day(now) - day(date)) / 86_400_000);
}
