/** Time zone, domain, limits, and the end of a site. */
import { dayOf } from "../parts/moment";
import { DomainForm } from "./domain-form";
import { Limits } from "./limits";
import type { PartProps } from "./part-list";
import { RemoveSite } from "./remove-site";
import { OnlyReading, Section } from "./section";
import { ZoneForm } from "./zone-form";

export function General(props: PartProps) {
  const { settings, mayChange } = props;
  return (
    <>
      <Section
        title="Time zone"
        lead="The days and hours of every figure are this zone's. A change holds for the past too."
      >
        {mayChange ? <ZoneForm {...props} /> : <p>{settings.timezone.replaceAll("_", " ")}</p>}
        {!mayChange && <OnlyReading />}
      </Section>
      {mayChange && (
        <Section
          title="Domain"
          lead={`Measured since ${dayOf(settings.created, settings.timezone)}. Events under the former domain go on being taken, and for three days nobody else can have it.`}
        >
          <DomainForm {...props} />
        </Section>
      )}
      {mayChange && (
        <Section
          title="Limits"
          lead="Against floods. An edge refuses what is more than this in a second; browsers keep what was refused and send it again."
        >
          <Limits {...props} />
        </Section>
      )}
      {mayChange && (
        <Section
          title="Remove the site"
          grave
          lead="Its events are no longer taken and its figures no longer shown."
        >
          <RemoveSite {...props} />
        </Section>
      )}
    </>
  );
}
