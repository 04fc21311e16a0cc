//! Days on which nobody attacks, however they look: nobody is accused.

mod scene;

use scene::*;
use secmon_diag::flood::{Impact, Settings, judge_log, judge_pieces};
use secmon_wire::diag::FindingId;

fn ids_of(log: &[u8], impact: &Impact) -> Vec<FindingId> {
    let settings = Settings { host: "example.org", ..Settings::new(impact) };
    let mut ids: Vec<_> = judge_log(log, None, &settings).findings.iter().map(|finding| finding.id).collect();
    ids.sort();
    ids
}

/// What is said of a scene, whether the site is well or suffers from something else.
fn said(requests: Vec<Request>) -> Vec<FindingId> {
    let log = combined(&sorted(requests));
    let well = ids_of(&log, &Impact::default());
    let busy = Impact { php_queue: 4, busy_percent: Some(100), ..Impact::default() };
    assert_eq!(ids_of(&log, &busy), well, "the same, while requests wait");
    well
}

/// Everything that a blog has every day beside its visitors.
fn machines(minutes: std::ops::Range<u64>) -> Vec<Request> {
    let mut all = Vec::new();
    for minute in minutes {
        let at = minute * 60;
        let of = |agent: &str, request: Request| Request { agent: agent.to_owned(), ..request };
        all.push(of(
            "WordPress/6.5; https://example.org",
            post(at + 2, "85.21.7.7", format!("/wp-cron.php?doing_wp_cron={at}.12")),
        ));
        all.push(of(
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            Request { method: "HEAD", size: 0, ..get(at + 3, "69.162.124.226", "/") },
        ));
        all.extend((0..4).map(|n| of("Blackbox Exporter/0.24.0", get(at + n * 15, "85.30.1.2", "/health"))));
        all.push(of(
            "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers)",
            Request { status: 304, size: 0, ..get(at + 7, "65.19.138.35", "/feed/") },
        ));
        all.push(of(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            get(at + 9, "66.249.66.1", format!("/2026/11/post-{}/", minute % 60)),
        ));
        all.push(of(
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            get(at + 30, format!("54.36.148.{}", minute % 9), format!("/tag/t{minute}/")),
        ));
        all.push(of("Jetpack by WordPress.com", post(at + 20, "192.0.101.21", "/xmlrpc.php?for=jetpack")));
        all.extend((0..4).map(|n| Request {
            referer: "https://example.org/wp-admin/post.php?post=7&action=edit".into(),
            ..post(at + n * 15, "85.44.1.1", "/wp-admin/admin-ajax.php")
        }));
        if minute % 20 == 0 {
            all.push(post(at + 41, somebody(90_000 + minute), "/wp-login.php"));
            all.push(post(at + 43, somebody(91_000 + minute), "//xmlrpc.php"));
            all.extend((0..8).map(|n| Request {
                status: 404,
                size: 153,
                ..get(at + 44, somebody(92_000 + minute), format!("/.env.{n}"))
            }));
        }
    }
    all
}

fn all(parts: impl IntoIterator<Item = Vec<Request>>) -> Vec<Request> {
    parts.into_iter().flatten().collect()
}

#[test]
fn a_day_of_a_blog() {
    assert_eq!(said(all([visitors(0..180, 6, 7), machines(0..180)])), []);
}

#[test]
fn a_log_that_began_five_minutes_ago_on_a_busy_site() {
    assert_eq!(said(all([visitors(0..5, 300, 4), machines(0..5)])), []);
}

#[test]
fn a_day_of_a_blog_whose_files_are_kept_at_the_edge() {
    assert_eq!(said(all([visitors(0..120, 30, 0), machines(0..120)])), []);
}

#[test]
fn a_launch_that_brings_a_hundred_times_as_many() {
    let mut requests = all([visitors(0..70, 10, 6), machines(0..70)]);
    for n in 0..6_000 {
        let at = 3_600 + n / 20;
        let target = match n % 3 {
            0 => format!("/?utm_source=tv&utm_campaign=autumn&fbclid=IwAR{}", n * 7_919),
            1 => "/new-product/".to_owned(),
            _ => format!("/new-product/?gclid=Cj0K{}", n * 104_729),
        };
        let mut view = view(at, 100_000 + n, target, 5);
        view[0].referer = if n % 2 == 0 { "https://www.facebook.com/".into() } else { String::new() };
        requests.extend(view);
    }
    assert_eq!(said(requests), [FindingId::BenignSurge]);
}

#[test]
fn a_launch_on_a_site_whose_statistics_count_each_view() {
    let mut requests = visitors(0..70, 10, 6);
    for n in 0..3_000_u64 {
        let at = 3_600 + n / 10;
        requests.extend(view(at, 100_000 + n, "/new-product/", 5));
        let from = somebody(100_000 + n);
        let agent = browser(100_000 + n);
        let beacon = if n % 2 == 0 {
            post(at + 2, from, format!("/matomo.php?action_name=New&idsite=1&rand={}", n * 7_919))
        } else {
            get(at + 2, from, format!("/matomo.php?action_name=New&idsite=1&rand={}", n * 7_919))
        };
        requests.push(Request { agent, referer: "https://example.org/new-product/".into(), ..beacon });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn a_gallery_whose_pictures_are_made_by_a_script() {
    let mut requests = visitors(0..60, 10, 6);
    for n in 0..9_000_u64 {
        let (at, who) = (n * 2 / 5, 50_000 + n / 100);
        let picture =
            get(at, somebody(who), format!("/thumb.php?src=/2026/{}.jpg&w={}", n * 31, 200 + n % 7));
        requests.push(Request {
            agent: browser(who),
            referer: "https://example.org/gallery/".into(),
            ..picture
        });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn a_catalogue_that_everybody_searches() {
    let mut requests = visitors(0..60, 5, 6);
    for n in 0..4_000_u64 {
        requests.extend(view(n * 9 / 10, 100_000 + n, format!("/?s=part+{}&post_type=product", n * 31), 4));
    }
    assert_eq!(said(requests), []);
}

#[test]
fn shoppers_who_filter() {
    let mut requests = visitors(0..60, 5, 6);
    for n in 0..4_000_u64 {
        let target = format!("/shop/?filter_color={}&min_price={}&orderby=price", n % 97, n * 3);
        requests.extend(view(n * 9 / 10, 100_000 + n / 3, target, 3));
    }
    assert_eq!(said(requests), []);
}

#[test]
fn search_engines_that_sweep_a_site() {
    let mut requests = visitors(0..60, 8, 6);
    for n in 0..6_000_u64 {
        let (from, agent) = if n % 2 == 0 {
            (
                format!("66.249.66.{}", n % 16),
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            )
        } else {
            (
                format!("40.77.167.{}", n % 16),
                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            )
        };
        let status = if n % 9 == 0 { 404 } else { 200 };
        let target = format!("/tag/{}/?orderby=price&filter_a={n}&min_price=4", n * 7);
        requests.push(Request { status, agent: agent.into(), ..get(1_800 + n / 5, from, target) });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn an_office_behind_one_address() {
    let mut requests = visitors(0..60, 4, 6);
    for n in 0..4_000_u64 {
        // They have most files from before.
        let files = u64::from(n % 5 == 0);
        for request in view(1_800 + n * 9 / 20, n % 60, format!("/wiki/page-{}/", n % 700), files) {
            requests.push(Request { from: "84.20.30.40".into(), ..request });
        }
    }
    assert_eq!(said(requests), []);
}

#[test]
fn a_school_that_logs_in_at_eight() {
    let mut requests = visitors(0..60, 4, 6);
    for n in 0..300_u64 {
        let at = 1_800 + n;
        let pupil = |request: Request| Request { from: "84.20.30.40".into(), agent: browser(n), ..request };
        requests.extend(view(at, n, "/wp-login.php", 3).into_iter().map(pupil));
        if n % 7 == 0 {
            requests.push(pupil(post(at + 5, "", "/wp-login.php")));
        }
        requests.push(pupil(Request { status: 302, size: 0, ..post(at + 9, "", "/wp-login.php") }));
        requests.extend(view(at + 10, n, "/my-courses/", 4).into_iter().map(pupil));
    }
    assert_eq!(said(requests), [FindingId::BenignSurge]);
}

#[test]
fn members_who_all_come_when_the_sale_begins() {
    let mut requests = visitors(0..60, 4, 6);
    for n in 0..1_200_u64 {
        let at = 1_800 + n / 5;
        let member = |request: Request| Request { agent: browser(n), ..request };
        if n % 6 == 0 {
            requests.push(member(post(at, somebody(n), "/wp-login.php")));
        }
        requests.push(member(Request { status: 302, size: 0, ..post(at + 9, somebody(n), "/wp-login.php") }));
        requests.extend(view(at + 10, n, "/sale/", 4));
    }
    assert_eq!(said(requests), [FindingId::BenignSurge]);
}

#[test]
fn a_school_that_logs_in_while_many_try_a_password_each() {
    let mut requests = visitors(0..60, 4, 6);
    for n in 0..60_u64 {
        let pupil = |request: Request| Request { from: "84.20.30.40".into(), agent: browser(n), ..request };
        requests.push(pupil(Request { status: 302, size: 0, ..post(3_310 + n * 4, "", "/wp-login.php") }));
        if n % 5 == 0 {
            requests.push(pupil(post(3_305 + n * 4, "", "/wp-login.php")));
        }
    }
    requests.extend((0..90).map(|n| post(3_305 + n * 3, somebody(200_000 + n), "/wp-login.php")));
    assert_eq!(said(requests), [FindingId::FloodLoginSlow]);
}

#[test]
fn payment_services_that_tell_of_a_sale() {
    let mut requests = visitors(0..60, 10, 6);
    for n in 0..1_500_u64 {
        let at = 1_800 + n / 5;
        let (from, agent, target) = match n % 4 {
            0 => ("54.187.216.72", "Stripe/1.0 (+https://stripe.com/docs/webhooks)", "/?wc-api=wc_stripe"),
            1 => (
                "87.233.229.26",
                "Mollie.nl HTTP client/1.0",
                "/?wc-api=mollie_return&order_id=9&key=wc_order_k",
            ),
            2 => ("173.0.84.1", "PayPal IPN ( https://www.paypal.com/ipn )", "/wc-api/WC_Gateway_Paypal/"),
            _ => ("87.233.229.27", "Mollie.nl HTTP client/1.0", "/wc-api/mollie/"),
        };
        requests.push(Request { agent: agent.into(), ..post(at, from, target) });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn trackers_that_report_where_they_are() {
    let mut requests = visitors(0..60, 4, 6);
    for n in 0..8_000_u64 {
        let target = format!(
            "/?id=86000{}&timestamp={}&lat=52.{}&lon=13.{}",
            n % 40,
            BEGIN + n / 3,
            n * 31 % 9_999,
            n * 17 % 9_999
        );
        requests.push(Request {
            agent: "Traccar/5".into(),
            size: 0,
            ..get(n * 9 / 20, somebody(n % 40), target)
        });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn a_deployment_in_the_middle_of_the_day() {
    let mut requests = visitors(0..60, 90, 4);
    for request in
        requests.iter_mut().filter(|request| (3_000..3_040).contains(&request.at) && request.size > 20_000)
    {
        (request.status, request.size) = (502, 157);
    }
    let of_floods = said(requests).into_iter().filter(|id| !id.as_str().starts_with("http-"));
    assert_eq!(of_floods.collect::<Vec<_>>(), []);
}

#[test]
fn a_log_that_was_rotated_and_one_with_a_gap() {
    let requests = sorted(all([visitors(0..90, 40, 5), machines(0..90)]));
    let kept: Vec<Request> =
        requests.into_iter().filter(|request| !(2_400..3_000).contains(&request.at)).collect();
    let impact = Impact::default();
    for at in [1, kept.len() / 2, kept.len() - 1] {
        let (old, new) = (combined(&kept[..at]), combined(&kept[at..]));
        let judged = judge_pieces(&[&old, &new], None, &Settings::new(&impact));
        assert_eq!((judged.findings, judged.junk), (vec![], 0));
    }
}

#[test]
fn a_site_that_slept_and_wakes() {
    let office = (0..600_u64).flat_map(|n| {
        let view = view(8 * 3_600 + n / 2, n % 9, format!("/intranet/{}/", n % 40), 2);
        view.into_iter().map(|request| Request { from: "84.20.30.40".into(), ..request })
    });
    assert_eq!(said(all([visitors(0..20, 5, 6), office.collect(), visitors(480..490, 5, 6)])), []);
}

#[test]
fn an_hour_that_comes_twice() {
    let requests = sorted(all([visitors(0..120, 30, 5), machines(0..120)]));
    let line = |request: &Request| combined_in(request, if request.at < 3_600 { 2 } else { 1 });
    let log: String = requests.iter().map(line).collect();
    assert_eq!(ids_of(log.as_bytes(), &Impact::default()), []);
}

#[test]
fn lines_out_of_order() {
    let mut requests = all([visitors(0..120, 30, 5), machines(0..120)]);
    requests.sort_by_key(|request| {
        request.at + Dice::new(request.at * 31 + request.size + request.target.len() as u64).roll(90)
    });
    assert_eq!(ids_of(&combined(&requests), &Impact::default()), []);
}

#[test]
fn a_shop_that_asks_for_its_cart_with_each_page() {
    let mut requests = Vec::new();
    for n in 0..6_000_u64 {
        let (at, who) = (n * 3 / 5, 100_000 + n / 4);
        requests.extend(view(at, who, format!("/product/p-{}/", n % 300), 4));
        let page = "https://example.org/product/".to_owned();
        requests.push(Request {
            agent: browser(who),
            referer: page,
            ..post(at + 2, somebody(who), "/?wc-ajax=get_refreshed_fragments")
        });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn an_application_that_always_asks() {
    let mut requests = visitors(0..60, 5, 6);
    for n in 0..7_200_u64 {
        let agent = "okhttp/4.12.0".to_owned();
        requests.push(Request {
            agent,
            ..get(n / 2, somebody(n % 400), format!("/wp-json/app/v1/news?since={n}"))
        });
    }
    assert_eq!(said(requests), []);
}

#[test]
fn editors_at_work() {
    let mut requests = visitors(0..60, 5, 6);
    for n in 0..3_000_u64 {
        let referer = format!("https://example.org/wp-admin/post.php?post={}&action=edit", n % 9);
        let from = "84.20.30.40";
        let request = match n % 4 {
            0 => post(n, from, "/wp-admin/admin-ajax.php"),
            1 => post(n, from, format!("/wp-json/wp/v2/posts/{}/autosaves?_locale=user", n % 9)),
            2 => get(n, from, "/wp-json/wp/v2/media?per_page=40"),
            _ => get(n, from, format!("/?p={}&preview=true", n % 9)),
        };
        requests.push(Request { referer, ..request });
    }
    assert_eq!(said(requests), []);
}
