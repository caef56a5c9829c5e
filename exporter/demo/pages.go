package demo

import (
	"bytes"
	crand "crypto/rand"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopwatch/rules"
)

//go:embed templates
var files embed.FS

const (
	pathAPIProducts = "/api/v1/public/products"
	buyerCookie     = "demo_buyer"
	maxForm         = 4 << 10 // bytes of a form
	// Nothing on a page comes from elsewhere, and nothing runs in it.
	pagePolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)

// web is the shop's web server: storefront and product pages, order pages,
// API, and the address that gateways call back.
type web struct {
	url      string // without a trailing slash
	door     door
	outages  *outages
	till     till
	cashiers map[string]*gateway // by payment
	pages    pages
	handler  http.Handler
}

func newWeb(url string, door door, outages *outages, till till) (*web, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	w := &web{url: url, door: door, outages: outages, till: till, pages: pages}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.breakable(serviceStorefront, w.storefront))
	mux.HandleFunc("GET /products/{slug}", w.breakable(serviceStorefront, w.product))
	mux.HandleFunc("GET /order", w.breakable(serviceOrder, w.orderForm))
	mux.HandleFunc("POST /order", w.breakable(serviceOrder, w.order))
	mux.HandleFunc("GET /orders/{number}", w.breakable(serviceOrder, w.orderStatus))
	mux.HandleFunc("GET "+pathAPIProducts, w.breakable(serviceAPI, w.apiProducts))
	mux.HandleFunc("POST /notify/{payment}", w.notify)
	mux.HandleFunc("GET /style.css", stylesheet)
	w.handler = http.NewCrossOriginProtection().Handler(mux)
	return w, nil
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.handler.ServeHTTP(rw, r) }

// breakable answers as the service does when it is broken, while it is.
func (w *web) breakable(service string, next http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if !w.outages.broken(service) {
			next(rw, r)
			return
		}
		switch service {
		case serviceStorefront: // the proxy in front is alive, the shop behind it is not
			rw.Header().Set("Server", "nginx")
			rw.Header().Set("Content-Type", "text/html")
			rw.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(rw, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
		case serviceOrder: // a page that loads well and yet sells nothing
			w.problem(rw, r, http.StatusOK, rules.Text{ZH: "系统繁忙，暂时无法下单，请稍后再试。", EN: "We are busy and can't take orders. Please try again later."})
		case serviceAPI: // dies amid the answer
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Content-Length", "4096")
			fmt.Fprint(rw, `{"status_code":`)
			http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

// base is what every page has.
type base struct {
	Lang  string // zh or en
	Title string
	Here  string // path of this page, for the other language
	Home  string // the storefront
	Again int    // seconds until the page loads itself again, 0 never
}

func (w *web) base(r *http.Request, title rules.Text) base {
	lang := language(r)
	query := r.URL.Query()
	query.Del("lang")
	here := r.URL.Path + "?"
	if len(query) > 0 {
		here += query.Encode() + "&"
	}
	return base{Lang: lang, Title: title.In(lang), Here: here + "lang=", Home: w.url + "/?lang=" + lang}
}

// language is the one asked for, else the browser's, else Chinese.
func language(r *http.Request) string {
	asked := r.FormValue("lang")
	if asked == "" {
		asked = r.Header.Get("Accept-Language")
	}
	if strings.HasPrefix(strings.ToLower(asked), "en") {
		return "en"
	}
	return "zh"
}

// card is a product as a page shows it.
type card struct {
	Slug, Title, About, Price string
	Manual                    bool
	Stock                     int
}

func (p product) card(lang string) card {
	return card{Slug: p.slug, Title: p.title.In(lang), About: p.about.In(lang), Price: p.price, Manual: p.manual}
}

type storefrontPage struct {
	base
	Products []card
}

func (w *web) storefront(rw http.ResponseWriter, r *http.Request) {
	page := storefrontPage{base: w.base(r, rules.Text{ZH: "全部商品", EN: "All products"})}
	for _, p := range catalogue {
		page.Products = append(page.Products, p.card(page.Lang))
	}
	w.pages.show(rw, http.StatusOK, "storefront.html", page)
}

type productPage struct {
	base
	Product card
}

func (w *web) product(rw http.ResponseWriter, r *http.Request) {
	p, known := productBySlug(r.PathValue("slug"))
	if !known {
		w.problem(rw, r, http.StatusNotFound, textNoProduct)
		return
	}
	page := productPage{base: w.base(r, p.title)}
	page.Product = p.card(page.Lang)
	w.pages.show(rw, http.StatusOK, "product.html", page)
}

type orderPage struct {
	base
	Product  card
	Payments []choice
}

type choice struct{ ID, Name string }

func (w *web) orderForm(rw http.ResponseWriter, r *http.Request) {
	p, known := productBySlug(r.FormValue("product"))
	if !known {
		w.problem(rw, r, http.StatusNotFound, textNoProduct)
		return
	}
	stock, err := ask[map[string]int](r.Context(), w.door, opStock, nothing{})
	if err != nil {
		w.problem(rw, r, http.StatusServiceUnavailable, textNoDatabase)
		return
	}
	page := orderPage{base: w.base(r, rules.Text{ZH: "下单：" + p.title.ZH, EN: "Order: " + p.title.EN})}
	page.Product = p.card(page.Lang)
	page.Product.Stock = stock[p.slug]
	for _, id := range paymentIDs {
		page.Payments = append(page.Payments, choice{ID: id, Name: paymentName(id).In(page.Lang)})
	}
	w.pages.show(rw, http.StatusOK, "order.html", page)
}

// order books a purchase and sends the buyer to the gateway's cashier.
func (w *web) order(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
	in := purchase{Product: r.PostFormValue("product"), Payment: r.PostFormValue("payment"), Mail: strings.TrimSpace(r.PostFormValue("mail"))}
	if len(in.Mail) > 100 || !strings.Contains(in.Mail, "@") || !slices.Contains(paymentIDs, in.Payment) {
		w.problem(rw, r, http.StatusBadRequest, rules.Text{ZH: "请填写邮箱并选择支付方式。", EN: "Please give a mail address and choose a payment."})
		return
	}
	if cookie, err := r.Cookie(buyerCookie); err == nil && len(cookie.Value) == 32 {
		in.Password = cookie.Value
	} else {
		token := make([]byte, 16)
		crand.Read(token)
		in.Password = hex.EncodeToString(token)
	}
	placed, err := ask[receipt](r.Context(), w.door, opPlace, in)
	if err != nil {
		w.refuse(rw, r, err)
		return
	}
	http.SetCookie(rw, &http.Cookie{Name: buyerCookie, Value: in.Password, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 86400})
	http.Redirect(rw, r, w.cashier(placed)+"&lang="+language(r), http.StatusSeeOther)
}

// cashier is the address where the buyer pays for an order.
func (w *web) cashier(order receipt) string {
	query := url.Values{"order": {order.Order}, "amount": {order.Amount},
		"sign": {w.till.sign("pay", order.Payment, order.Order, order.Amount)}}
	return w.cashiers[order.Payment].url + "/cashier?" + query.Encode()
}

type statusPage struct {
	base
	Product card
	Order   receipt
	Cashier string // where to pay, while unpaid
}

func (w *web) orderStatus(rw http.ResponseWriter, r *http.Request) {
	in := lookup{Order: r.PathValue("number")}
	if cookie, err := r.Cookie(buyerCookie); err == nil {
		in.Password = cookie.Value
	}
	order, err := ask[receipt](r.Context(), w.door, opFind, in)
	if err != nil {
		w.refuse(rw, r, err)
		return
	}
	page := statusPage{base: w.base(r, rules.Text{ZH: "订单详情", EN: "Your order"}), Order: order}
	p, _ := productBySlug(order.Product)
	page.Product = p.card(page.Lang)
	switch order.Status {
	case "pending_payment":
		page.Cashier, page.Again = w.cashier(order)+"&lang="+page.Lang, 5
	case "paid", "fulfilling":
		page.Again = 2
	}
	rw.Header().Set("Cache-Control", "no-store")
	w.pages.show(rw, http.StatusOK, "status.html", page)
}

// apiProducts is the shop's public API: what is on sale, and how many.
func (w *web) apiProducts(rw http.ResponseWriter, r *http.Request) {
	type item struct {
		Slug  string `json:"slug"`
		Title string `json:"title"`
		Price string `json:"price"`
		Stock int    `json:"stock"`
	}
	type body struct {
		StatusCode int    `json:"status_code"`
		Message    string `json:"msg"`
		Data       []item `json:"data"`
	}
	stock, err := ask[map[string]int](r.Context(), w.door, opStock, nothing{})
	if err != nil {
		writeJSON(rw, http.StatusInternalServerError, body{StatusCode: 500, Message: "database is unreachable", Data: []item{}})
		return
	}
	answer := body{Message: "success"}
	for _, p := range catalogue {
		answer.Data = append(answer.Data, item{Slug: p.slug, Title: p.title.In(language(r)), Price: p.price, Stock: stock[p.slug]})
	}
	writeJSON(rw, http.StatusOK, answer)
}

// notify takes a gateway's word, if it is signed, that an order was paid.
func (w *web) notify(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
	in := payment{Payment: r.PathValue("payment"), Order: r.PostFormValue("out_trade_no"), Amount: r.PostFormValue("total_amount")}
	if !w.till.signed(r.PostFormValue("sign"), "paid", in.Payment, in.Order, in.Amount) {
		http.Error(rw, "fail: bad signature", http.StatusForbidden)
		return
	}
	_, err := ask[nothing](r.Context(), w.door, opPaid, in)
	var no refusal
	switch {
	case errors.As(err, &no):
		http.Error(rw, "fail: "+no.Error(), http.StatusConflict)
	case err != nil:
		http.Error(rw, "fail", http.StatusServiceUnavailable)
	default:
		fmt.Fprint(rw, "success") // the word that payment gateways wait for
	}
}

var (
	textNoProduct  = rules.Text{ZH: "没有这个商品。", EN: "There is no such product."}
	textNoDatabase = rules.Text{ZH: "数据库连接失败，请稍后再试。", EN: "Our database can't be reached. Please try again later."}
)

// refuse tells the buyer why the books said no, or that they couldn't be asked.
func (w *web) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	var no refusal
	if !errors.As(err, &no) {
		w.problem(rw, r, http.StatusServiceUnavailable, textNoDatabase)
		return
	}
	switch no {
	case refusedProduct:
		w.problem(rw, r, http.StatusNotFound, textNoProduct)
	case refusedSoldOut:
		w.problem(rw, r, http.StatusConflict, rules.Text{ZH: "该商品已售罄，正在补货。", EN: "Sold out; more is on its way."})
	default:
		w.problem(rw, r, http.StatusNotFound, rules.Text{ZH: "没有找到这个订单。", EN: "There is no such order."})
	}
}

type problemPage struct {
	base
	Problem string
}

func (w *web) problem(rw http.ResponseWriter, r *http.Request, status int, text rules.Text) {
	page := problemPage{base: w.base(r, rules.Text{ZH: "出错了", EN: "Something is wrong"})}
	page.Problem = text.In(page.Lang)
	w.pages.show(rw, status, "problem.html", page)
}

// pages are the parsed templates, by file name.
type pages map[string]*template.Template

func parsePages() (pages, error) {
	set := pages{}
	for _, name := range []string{"storefront.html", "product.html", "order.html", "status.html", "cashier.html", "problem.html"} {
		page, err := template.New("layout.html").Funcs(template.FuncMap{
			"say": func(lang, zh, en string) string { return rules.Text{ZH: zh, EN: en}.In(lang) },
		}).ParseFS(files, "templates/layout.html", "templates/"+name)
		if err != nil {
			return nil, fmt.Errorf("parse demo page: %w", err)
		}
		set[name] = page
	}
	return set, nil
}

// show executes a page whole before the first byte is sent.
func (p pages) show(rw http.ResponseWriter, status int, name string, page any) {
	var text bytes.Buffer
	if err := p[name].Execute(&text, page); err != nil {
		http.Error(rw, "this page can't be shown", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Content-Security-Policy", pagePolicy)
	rw.WriteHeader(status)
	rw.Write(text.Bytes())
}

func writeJSON(rw http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(rw, "this answer can't be given", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	rw.Write(text)
}

func stylesheet(rw http.ResponseWriter, r *http.Request) {
	text, err := files.ReadFile("templates/style.css")
	if err != nil {
		http.NotFound(rw, r)
		return
	}
	http.ServeContent(rw, r, "style.css", time.Time{}, bytes.NewReader(text))
}
