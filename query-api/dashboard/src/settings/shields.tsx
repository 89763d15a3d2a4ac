/** What is not counted, and the hosts that are counted alone. */
import type { Shields } from "./api";
import type { PartProps } from "./part-list";
import { Section } from "./section";
import { ShieldList } from "./shield-list";

const KINDS: { name: keyof Shields; title: string; lead: string; placeholder: string; none: string }[] = [
  {
    name: "addresses",
    title: "Addresses",
    lead: "Visits from these are not counted: your office, your own connection.",
    placeholder: "203.0.113.7 or 203.0.113.0/24",
    none: "No address is left out.",
  },
  {
    name: "countries",
    title: "Countries",
    lead: "Visits from these are not counted.",
    placeholder: "Code of two letters, such as DE",
    none: "No country is left out.",
  },
  {
    name: "pages",
    title: "Pages",
    lead: "Events on these pages are not counted; * stands for anything.",
    placeholder: "/admin/**",
    none: "No page is left out.",
  },
  {
    name: "hostnames",
    title: "Hostnames",
    lead: "As soon as one stands here, events of all others are not counted: copies of your site on other hosts.",
    placeholder: "www.shop.example or *.shop.example",
    none: "Events of every host are counted.",
  },
];

export function ShieldsPart({ api, settings, onSettings }: PartProps) {
  const { shields } = settings;
  if (shields === null) {
    return (
      <Section title="Shields">
        <p class="soft">Your key may not see what is left out: addresses are nobody else's business.</p>
      </Section>
    );
  }
  return (
    <>
      {KINDS.map(({ name, ...words }) => (
        <ShieldList
          key={name}
          name={name}
          {...words}
          entries={shields[name]}
          onEntries={async (entries) => onSettings(await api.change({ shields: { [name]: entries } }))}
        />
      ))}
    </>
  );
}
