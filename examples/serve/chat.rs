//! The chat room: its members, its recent messages, and the messages that each event sends.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Messages for clients, each with the number of its connection. They are sent after the current
/// event.
pub type Outbox = Vec<(usize, Rc<str>)>;

const HISTORY: usize = 30;
const MAX_TEXT: usize = 1000;
const MAX_NAME: usize = 24;
/// Messages that a client may send at once. Each `REFILL_MS` allows one more.
const BURST: u32 = 200;
const REFILL_MS: u64 = 50;

/// A message from a page.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request {
    /// Joins the room, or changes the name of a member.
    Name {
        name: String,
    },
    Say {
        text: String,
    },
}

/// A message to a page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum News<'a> {
    Welcome { you: usize, name: &'a str, online: usize, history: &'a VecDeque<Said> },
    Joined { name: &'a str, online: usize },
    Renamed { id: usize, was: &'a str, name: &'a str },
    Left { name: &'a str, online: usize },
    Say(&'a Said),
}

#[derive(Serialize)]
struct Said {
    id: usize,
    name: String,
    text: String,
    /// Milliseconds since 1970, like JavaScript's `Date.now()`.
    time: u64,
}

struct Member {
    name: String,
    /// Messages that the member could send at the time `refilled`.
    allowance: u32,
    refilled: u64,
}

#[derive(Default)]
pub struct Room {
    members: BTreeMap<usize, Member>,
    history: VecDeque<Said>,
}

impl Room {
    /// Handles a message of client `id`. An error is the reason of the Close to send.
    pub fn receive(
        &mut self,
        id: usize,
        message: &str,
        now: u64,
        out: &mut Outbox,
    ) -> Result<(), &'static str> {
        match serde_json::from_str(message).map_err(|_| "not a chat message")? {
            Request::Name { name } if self.members.contains_key(&id) => {
                self.spend(id, now)?;
                self.rename(id, &name, out);
            }
            Request::Name { name } => self.join(id, &name, now, out),
            Request::Say { text } => {
                self.spend(id, now)?;
                self.say(id, text.trim(), out)?;
            }
        }
        Ok(())
    }

    pub fn leave(&mut self, id: usize, out: &mut Outbox) {
        if let Some(Member { name, .. }) = self.members.remove(&id) {
            self.tell(&News::Left { name: &name, online: self.members.len() }, out);
        }
    }

    fn join(&mut self, id: usize, name: &str, now: u64, out: &mut Outbox) {
        let name = self.free_name(id, name);
        let online = self.members.len() + 1;
        self.tell(&News::Joined { name: &name, online }, out);
        out.push((
            id,
            json(&News::Welcome { you: id, name: &name, online, history: &self.history }),
        ));
        self.members.insert(id, Member { name, allowance: BURST, refilled: now });
    }

    fn rename(&mut self, id: usize, name: &str, out: &mut Outbox) {
        let name = self.free_name(id, name);
        if let Some(member) = self.members.get_mut(&id) {
            let was = std::mem::replace(&mut member.name, name.clone());
            if was != name {
                self.tell(&News::Renamed { id, was: &was, name: &name }, out);
            }
        }
    }

    fn say(&mut self, id: usize, text: &str, out: &mut Outbox) -> Result<(), &'static str> {
        if text.chars().count() > MAX_TEXT {
            return Err("message too long");
        }
        let name = self.members[&id].name.clone();
        let time =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let said = Said { id, name, text: text.to_owned(), time };
        self.tell(&News::Say(&said), out);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(said);
        Ok(())
    }

    /// Counts a message of a member, so that one page cannot flood the others.
    fn spend(&mut self, id: usize, now: u64) -> Result<(), &'static str> {
        let member = self.members.get_mut(&id).ok_or("give a name first")?;
        let due = now.saturating_sub(member.refilled) / REFILL_MS;
        member.refilled += due * REFILL_MS;
        member.allowance =
            member.allowance.saturating_add(due.try_into().unwrap_or(BURST)).min(BURST);
        member.allowance = member.allowance.checked_sub(1).ok_or("too many messages")?;
        Ok(())
    }

    fn tell(&self, news: &News, out: &mut Outbox) {
        let news = json(news);
        out.extend(self.members.keys().map(|&member| (member, Rc::clone(&news))));
    }

    /// Returns the wanted name. If another member has it, appends a number.
    fn free_name(&self, id: usize, wanted: &str) -> String {
        let wanted = clean_name(wanted).unwrap_or_else(|| format!("Guest {id}"));
        let is_free = |name: &str| {
            self.members.iter().all(|(&other, member)| other == id || member.name != name)
        };
        let numbered = (2..).map(|number| format!("{wanted} {number}"));
        std::iter::once(wanted.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or(wanted)
    }
}

/// Returns a name as one short line, or `None` if it would be empty.
pub fn clean_name(name: &str) -> Option<String> {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    Some(name.trim_end().to_owned()).filter(|name| !name.is_empty())
}

pub fn json(message: &impl Serialize) -> Rc<str> {
    serde_json::to_string(message).expect("plain data is always JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(
        room: &mut Room,
        id: usize,
        message: &str,
        now: u64,
    ) -> Result<Outbox, &'static str> {
        let mut out = Outbox::new();
        room.receive(id, message, now, &mut out).map(|()| out)
    }

    fn name(room: &mut Room, id: usize, name: &str) -> Outbox {
        receive(room, id, &format!(r#"{{"type":"name","name":{name:?}}}"#), 0).unwrap()
    }

    #[test]
    fn names_are_clean_and_unique() {
        let mut room = Room::default();
        name(&mut room, 1, " Ada\n ");
        name(&mut room, 2, "Ada");
        name(&mut room, 3, "");
        name(&mut room, 4, &"x".repeat(100));
        let names: Vec<&str> = room.members.values().map(|member| &*member.name).collect();
        assert_eq!(names, ["Ada", "Ada 2", "Guest 3", &"x".repeat(MAX_NAME)]);
        assert!(name(&mut room, 1, "Ada").is_empty(), "no news");
    }

    #[test]
    fn messages_reach_all_members_and_later_ones() {
        let mut room = Room::default();
        assert!(receive(&mut room, 1, r#"{"type":"say","text":"too early"}"#, 0).is_err());
        name(&mut room, 1, "Ada");
        assert_eq!(name(&mut room, 2, "Lin").len(), 2, "a welcome, and one is told");
        for i in 0..HISTORY + 5 {
            let out =
                receive(&mut room, 1, &format!(r#"{{"type":"say","text":"{i}"}}"#), 0).unwrap();
            assert_eq!(out.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
        }
        let welcome: serde_json::Value =
            serde_json::from_str(&name(&mut room, 3, "Zoe")[2].1).unwrap();
        assert_eq!(welcome["online"], 3);
        assert_eq!(welcome["history"].as_array().unwrap().len(), HISTORY);
        assert_eq!(welcome["history"][0]["text"], "5");
        let mut out = Outbox::new();
        room.leave(3, &mut out);
        room.leave(3, &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn a_flood_is_stopped_and_a_pause_forgives() {
        let mut room = Room::default();
        name(&mut room, 1, "Ada");
        let say = r#"{"type":"say","text":"hello"}"#;
        for _ in 0..BURST {
            receive(&mut room, 1, say, 0).unwrap();
        }
        assert!(receive(&mut room, 1, say, REFILL_MS - 1).is_err());
        assert!(receive(&mut room, 1, say, REFILL_MS).is_ok());
        assert!(receive(&mut room, 1, say, REFILL_MS).is_err());
        assert!(receive(&mut room, 1, "hello", 10_000).is_err());
        let long = format!(r#"{{"type":"say","text":"{}"}}"#, "é".repeat(MAX_TEXT + 1));
        assert!(receive(&mut room, 1, &long, 10_000).is_err());
    }
}
