/** What a replay would read, make and replace. */
import { count } from "../format";
import { bytes, lag, moment } from "../parts/moment";
import type { Plan, PlanPartition } from "./api";

export function PlanView({ plan }: { plan: Plan }) {
  const events = plan.partitions.reduce((sum, one) => sum + one.events, 0);
  const size = plan.partitions.reduce((sum, one) => sum + one.read.bytes, 0);
  return (
    <div class="found">
      <p class="found-head">
        <strong>{count(events)} events</strong> would be folded anew, from {bytes(size)} of the stream, in
        about {lag(Math.max(1, plan.estimated_s) * 1_000)}.
      </p>
      <div class="scroll">
        <table class="plain-table">
          <caption class="hidden">Plan by partition</caption>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col">Made anew</th>
              <th scope="col">Begins with</th>
              <th scope="col" class="number">
                Hours
              </th>
              <th scope="col">Files</th>
            </tr>
          </thead>
          <tbody>
            {plan.partitions.map((one) => (
              <Row key={`${one.region}.${one.partition}`} one={one} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Row({ one }: { one: PlanPartition }) {
  return (
    <tr>
      <th scope="row" class="plan-name">
        {one.region} · {one.partition}
      </th>
      <td>
        {one.read.messages === 0
          ? "nothing: there is nothing newer in files"
          : `messages ${count(one.from_seq)} to ${count(one.sealed_seq)}${one.from_time ? `, received since ${moment(one.from_time)}` : ""}`}
      </td>
      <td>
        {one.checkpoint.seq === 0
          ? "the stream's start"
          : `the state after ${count(one.checkpoint.seq)}${one.checkpoint.time ? `, ${moment(one.checkpoint.time)}` : ""}`}
      </td>
      <td class="number">{one.hours ? count(one.hours.count) : "–"}</td>
      <td>
        {count(one.files.kept)} kept, {count(one.files.split)} divided, {count(one.files.replaced)} replaced
      </td>
    </tr>
  );
}
