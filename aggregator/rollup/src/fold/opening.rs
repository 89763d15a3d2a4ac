//! What a visit takes from the event that opens it.

use crate::row::Opening;
use crate::rules::{Entrance, Rules};
use weir_event::model::{BotMark, Event};

/// Applies the rules to an opening event.
pub(super) fn of(event: &Event, rules: &Rules) -> Opening {
    let agent = rules.agent(&event.user_agent);
    let acquisition = rules.acquisition(&Entrance {
        hostname: &event.hostname,
        referrer: &event.referrer,
        utm_source: &event.utm_source,
        utm_medium: &event.utm_medium,
        utm_campaign: &event.utm_campaign,
        click_id: &event.click_id,
    });
    Opening {
        visitor_id: event.visitor_id,
        bot: edge_mark(event.bot).max(agent.bot),
        source: acquisition.source.clone(),
        referrer: acquisition.referrer.clone(),
        channel: acquisition.channel.clone(),
        utm_source: event.utm_source.clone(),
        utm_medium: event.utm_medium.clone(),
        utm_campaign: event.utm_campaign.clone(),
        utm_content: event.utm_content.clone(),
        utm_term: event.utm_term.clone(),
        country: event.country.clone(),
        region: event.region.clone(),
        city: event.city.clone(),
        device: agent.device.clone(),
        browser: agent.browser.clone(),
        browser_version: agent.browser_version.clone(),
        os: agent.os.clone(),
        os_version: agent.os_version.clone(),
    }
}

/// A mark that this version does not know still says that the edge knows something.
fn edge_mark(mark: i32) -> u8 {
    match BotMark::try_from(mark) {
        Ok(BotMark::None) => 0,
        Ok(BotMark::Declared) | Err(_) => 1,
        Ok(BotMark::Headless) => 2,
    }
}
