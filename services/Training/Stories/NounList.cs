namespace Slm.Training.Stories;

/// <summary>What a noun's thing is good for in a plot.</summary>
public enum NounKind
{
    Toy, Clothes, Tool, Treasure, Nature, Paper, Instrument, Box, Dish, Food, Animal, Vehicle, Furniture, Building, Plant, Sky, Bug,
}

/// <summary>A countable (or marked) noun. Mark + : plural only; mark ~ : mass noun.</summary>
public sealed record Noun(string Word, NounKind Kind, bool Plural, bool Mass)
{
    /// <summary>"it" or "them".</summary>
    public string It => Plural ? "them" : "it";

    /// <summary>"a", "an" or "some".</summary>
    public string Article(string phrase) => Plural || Mass ? "some" : Inflection.Article(phrase);

    /// <summary>True when one hand can hold it, so it can be lost, given, taken.</summary>
    public bool Portable => Kind is NounKind.Toy or NounKind.Clothes or NounKind.Tool or NounKind.Treasure or NounKind.Nature or NounKind.Paper or NounKind.Instrument or NounKind.Box or NounKind.Dish;
}

/// <summary>The nouns of the children's vocabulary, by kind.</summary>
public static class NounList
{
    public static readonly IReadOnlyList<Noun> All = Parse(
        (NounKind.Toy, "ball doll kite teddy_bear puzzle top yo-yo balloon toy_car toy_train toy_boat puppet robot rattle marble block jump_rope rocking_horse toy_truck toy_plane toy_drum frisbee bubble_wand stuffed_bunny toy_robot toy_horse paper_plane toy_castle toy_soldier toy_duck toy_ship toy_dinosaur whistle sled pinwheel bouncy_ball dollhouse mask wand toy_crown skateboard spinning_top slingshot rag_doll toy_bear toy_rocket toy_tractor toy_lion toy_monkey toy_elephant toy_bus toy_boat toy_snake toy_frog toy_penguin toy_house jigsaw hoop hula_hoop beach_ball racket paddle sand_bucket train_set tea_set board_game jack-in-the-box toy_sword shield"),
        (NounKind.Clothes, "hat scarf coat jacket sweater shirt dress cap boots+ gloves+ mittens+ socks+ shoes+ belt cape skirt ribbon bow vest slippers+ sandals+ pajamas+ raincoat apron backpack purse glasses+ umbrella hood costume sunglasses+ tie robe bonnet sash headband earmuffs+ shawl bathrobe overalls+ jeans+ trousers+ sneakers+ beret helmet poncho leggings+ handkerchief collar"),
        (NounKind.Tool, "hammer rope ladder shovel brush broom bucket basket lamp flashlight net needle saw stick hook wheel mop pillow blanket towel sponge comb mirror clock watch candle fan magnet map telescope compass string hose rake wrench tape glue~ lantern fishing_rod hoe nail screw pump spade chain tent sack tube pole drill ruler scissors+ ribbon_spool paint_pot sieve ladle funnel bellows+ hourglass alarm_clock cushion quilt pillowcase thimble toolbox wheelbarrow watering_can pulley anchor oar hinge bolt sandpaper~ chalk~ eraser stapler stepladder"),
        (NounKind.Treasure, "coin ring key necklace bracelet crown jewel gem medal gold_coin pearl crystal bell star_pin locket treasure trophy badge button bead silver_spoon music_box statue brooch diamond charm ruby emerald opal amulet scepter goblet silver_coin silver_ring golden_egg golden_feather seal_ring pendant hairpin snow_globe jewelry_box golden_key magic_lamp"),
        (NounKind.Nature, "stone rock leaf feather shell flower acorn pinecone seashell pebble branch seed nut daisy rose dandelion twig log clover chestnut sunflower tulip mushroom lily violet pansy poppy buttercup bluebell fossil starfish sand_dollar four-leaf_clover marigold lilac petal"),
        (NounKind.Paper, "book letter card picture drawing painting photo notebook crayon pencil pen paintbrush stamp ticket newspaper magazine diary storybook sticker poster paper_boat paper_hat envelope note sketchbook scrapbook coloring_book cookbook songbook bookmark postcard valentine invitation certificate cartoon riddle_book atlas calendar marker comic"),
        (NounKind.Instrument, "drum flute guitar horn trumpet violin harp tambourine fiddle harmonica xylophone banjo triangle"),
        (NounKind.Box, "box jar bag bottle pot pail chest tin crate piggy_bank lunch_box barrel vase can suitcase trunk mailbox"),
        (NounKind.Dish, "cup bowl plate spoon fork mug teapot pan kettle tray glass pitcher saucer tray"),
        (NounKind.Food, "cake cookie pie apple banana sandwich pizza soup~ bread~ cheese~ carrot berries+ strawberry pear peach plum orange melon grapes+ candy~ chocolate~ ice_cream~ muffin cupcake donut pancake waffle egg honey~ jam~ corn~ potato tomato pumpkin salad~ noodles+ rice~ popcorn~ pretzel cherry lollipop pudding~ milk~ juice~ lemonade~ tea~ nuts+ peas+ beans+ toast~ cereal~ yogurt~ watermelon pineapple mango lemon jelly~ meatball sausage fish_stick cracker biscuit butter~ oatmeal~ raisins+ blueberry coconut stew~ spaghetti~ tart roll bun dumpling brownie macaroni~ omelet porridge~ eggplant zucchini cabbage celery~ lettuce~ spinach~ broccoli~ radish turnip onion mushroom_soup~ chicken_soup~ apricot fig kiwi raspberry blackberry cranberries+ plum_cake cheesecake gingerbread~ fudge~ marshmallow caramel~ maple_syrup~ lemon_pie peach_pie cornbread~ sausage_roll fruit_salad~ cocoa~ smoothie milkshake rice_pudding~"),
        (NounKind.Animal, "puppy kitten duckling bunny lamb chick foal piglet turtle frog hedgehog squirrel bird parrot fawn owl mouse hamster goldfish lizard robin pony goat duck swan seal crab calf otter penguin fox_cub bear_cub beaver dove goose hen baby_bird chipmunk sparrow kangaroo monkey raccoon pigeon crow lion_cub donkey ferret gecko toad tortoise parakeet canary woodpecker blackbird jay magpie peacock turkey rooster guinea_pig mole badger tadpole wolf_cub seagull pelican whale dolphin elephant"),
        (NounKind.Bug, "butterfly ladybug bee ant spider snail worm caterpillar beetle grasshopper cricket dragonfly firefly moth bumblebee inchworm"),
        (NounKind.Vehicle, "car truck bus train boat ship plane bike wagon tractor scooter rocket sleigh van helicopter fire_truck taxi canoe cart tricycle motorbike trailer bulldozer digger garbage_truck milk_truck ice_cream_truck school_bus police_car race_car camper submarine hot-air_balloon raft"),
        (NounKind.Furniture, "bed chair table sofa shelf door window desk bench drawer rug carpet curtain closet oven stove sink bathtub fridge couch stool cupboard cradle fireplace television radio phone wall floor bookshelf"),
        (NounKind.Building, "house tower castle bridge fence gate wall fort barn shed treehouse sandcastle doghouse birdhouse swing slide well tunnel fountain cabin hut garage stairs+ chimney roof lighthouse playhouse snowman path seesaw merry-go-round road pool"),
        (NounKind.Plant, "tree bush grass~ oak rosebush vine apple_tree pine_tree cactus hedge weed fern bamboo~ palm_tree willow moss~ maple_tree birch cherry_tree pear_tree holly_bush lavender~ thistle blackberry_bush lilac_bush chestnut_tree haystack"),
        (NounKind.Sky, "rainbow cloud moon sun star shadow puddle snow~ rain~ storm fog~ wave hill river wind~ mountain waterfall stream rock_pool sunset shooting_star"));

    private static readonly Dictionary<NounKind, Noun[]> Kinds = All.GroupBy(n => n.Kind).ToDictionary(g => g.Key, g => g.ToArray());

    /// <summary>All nouns of a kind.</summary>
    public static IReadOnlyList<Noun> Of(NounKind kind) => Kinds[kind];

    private static List<Noun> Parse(params (NounKind Kind, string Words)[] groups)
    {
        var seen = new HashSet<string>();
        var all = new List<Noun>();
        foreach (var (kind, words) in groups)
        {
            foreach (var raw in words.Split(' '))
            {
                string word = raw.TrimEnd('+', '~').Replace('_', ' ');
                if (seen.Add(word))
                    all.Add(new Noun(word, kind, raw.EndsWith('+'), raw.EndsWith('~')));
            }
        }

        return all;
    }
}
